import type { Device } from '../device.js'
import { checkFields, KronrootError } from '../errors.js'
import { keepsArrays, lengthOf, type ParameterArray } from '../precondition/arrays.js'
import { elements } from '../precondition/plan.js'
import { optionError } from '../schedule/validate.js'
import { Tensor } from '../tensor.js'
import { PhaseClock, type PhaseTimes } from './clock.js'
import { updateAll } from './elementwise.js'
import { type GradientInput, orderGradients } from './gradients.js'
import type { GroupOptions, GroupStep } from './group.js'
import {
  type OptimizerOptions,
  type OptimizerPlan,
  type OptimizerReport,
  type OptimizerState,
  ParameterGroups,
} from './parameter-groups.js'
import type { ParameterSpec } from './rule.js'

/** A parameter: its values are updated in place. Row-major fp32; on a cuda device also a tensor of it. */
export interface Parameter<Value extends ParameterArray = Float32Array> extends ParameterSpec {
  readonly value: Value
}

/** Parameters that share a rule, a learning rate and a weight decay. */
export interface ParameterGroupOptions<Value extends ParameterArray = Float32Array> extends GroupOptions {
  readonly params: readonly Parameter<Value>[]
}

/** What a step may be given besides gradients. */
export interface StepOptions {
  /** See {@link Optimizer.step}. */
  readonly examples?: readonly GradientInput[]
}

/**
 * Parameter groups, each with a rule, a learning rate and a weight decay, and the steps that move them:
 *
 *     W <- W - lr (D + wd W)      D = rule(gradients)
 *
 * All directions of all groups are computed before the first parameter is changed: a step moves all or throws and moves
 * none.
 *
 *     const optimizer = new Optimizer(device, [
 *       { params: weights, rule: shampoo({ graft: adamw() }), lr: cosine({ peak: 3e-3, steps: 1000 }) },
 *       { params: biases, rule: adamw(), lr: 1e-3 },
 *     ])
 *     optimizer.step(gradients)
 *
 * On a `cuda` device factors, roots, moments and directions stay on the GPU; a step moves gradients in and values out, and
 * neither where both are tensors of the device. State dictionaries are those of the CPU: a run may move between devices.
 */
export class Optimizer<Value extends ParameterArray = Float32Array> {
  /** All parameters, in the order in which `step` takes gradients. */
  readonly parameters: readonly Parameter<Value>[]
  readonly #device: Device
  readonly #values: readonly ParameterArray[]
  readonly #groups: ParameterGroups
  readonly #clock = new PhaseClock()

  /** Throws ERR_OPTION and ERR_SHAPE with the name of the group, field or parameter that is wrong. */
  constructor(device: Device, groups: readonly ParameterGroupOptions<Value>[], options: OptimizerOptions = {}) {
    checkGroups(device, groups)
    this.parameters = groups.flatMap(({ params }) => params)
    this.#device = device
    this.#values = this.parameters.map(({ value }) => value)
    const split = groups.map(({ params, ...shared }) => ({ parameters: params, options: shared }))
    this.#groups = new ParameterGroups(device, split, options, this.#clock)
  }

  /** Steps made so far; the next one is `steps + 1`. */
  get steps(): number {
    return this.#groups.steps
  }

  /**
   * One step: updates the values of all parameters that have a gradient.
   *
   * @param gradients one Float32Array a parameter (on `cuda` also an f32 tensor of the device), in the order of `parameters` or by name; null leaves a parameter,
   *   its state and its counters alone.
   * @param options.examples gradients of examples or micro-batches, each like `gradients`: the factor statistics of Shampoo,
   *   SOAP and their relatives are those of E g g^T instead of (E g) (E g)^T. Not clipped, and without an L2 term.
   * @throws ERR_SHAPE for missing, unknown or misfitting gradients, with nothing changed; ERR_NOT_CONVERGED when a factor
   *   failed too often: no parameter has moved, but statistics have, so go on from a checkpoint.
   */
  step(gradients: GradientInput, options: StepOptions = {}): void {
    checkFields('step', options, ['examples'])
    const ordered = orderGradients(this.parameters, gradients)
    const given = options.examples
    if (given !== undefined && !Array.isArray(given))
      throw optionError('step', 'examples', given, 'a list of gradients')
    const examples = given?.map((list) => orderGradients(this.parameters, list))
    this.#groups.advance(ordered, this.#values, (steps) => this.#apply(steps), examples)
  }

  #apply(steps: readonly GroupStep[]): void {
    this.#clock.time('apply', () => {
      const moves = steps.flatMap(({ directions, scales, lr, shrinkage }) =>
        directions.map((gradient, index) => gradient && { gradient, fromGradient: scales[index]!, lr, shrinkage }),
      )
      updateAll(
        this.#device,
        'combine',
        moves.map((move, index) => move && { ...move, w: this.#values[index]! }),
      )
    })
  }

  /**
   * Copies of the values to evaluate and to ship: averages or extrapolations where the rule says so (Schedule-Free, SPlus,
   * DoG, averaging wrappers), the parameters' own elsewhere. One Float32Array a parameter, in the order of `parameters`.
   */
  evaluation(): readonly Float32Array[] {
    return this.#groups.evaluation(this.#values)
  }

  /** Copies of everything that a bit-exact continuation needs, the parameters' values excepted. */
  stateDict(): OptimizerState {
    return this.#groups.stateDict()
  }

  /**
   * Continues from a saved state. Everything is compared before anything is written.
   *
   * @throws ERR_STATE for another schema or version, or listing every key that is missing, unknown, or of another size.
   */
  loadStateDict(saved: OptimizerState): void {
    this.#groups.loadStateDict(saved)
  }

  /** The plan: buckets, kernels, bytes, floating-point operations, native calls. */
  describe(): OptimizerPlan {
    return this.#groups.describe()
  }

  /** Failures, rungs of the recovery ladder and residuals, by factor; gradients that were not finite, by parameter. */
  report(): OptimizerReport {
    return this.#groups.report()
  }

  /**
   * Resolves when everything that is being solved off the JavaScript thread is there, to be taken by the next step. Awaited
   * before each step it makes a run with `refresh: { staleness }` repeatable.
   */
  settled(): Promise<void> {
    return this.#groups.settled()
  }

  /** Milliseconds spent so far on statistics, refreshes, and everything else of the steps (apply). */
  timings(): PhaseTimes {
    return this.#groups.timings()
  }

  /** Frees native memory. The values of the parameters stay. */
  dispose(): void {
    this.#groups.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}

const GROUP_KEYS = ['params', 'rule', 'lr', 'weightDecay', 'weightDecayMode', 'peakLr', 'clip']

function checkGroups(device: Device, groups: readonly ParameterGroupOptions<ParameterArray>[]): void {
  if (!Array.isArray(groups)) throw optionError('Optimizer', 'groups', groups, 'a list of { params, rule, lr }')
  const names = new Set<string>()
  groups.forEach((options: ParameterGroupOptions<ParameterArray>, index) => {
    const owner = `group ${index}`
    const { params } = options
    checkFields(owner, options, GROUP_KEYS)
    if (!Array.isArray(params)) throw optionError(owner, 'params', params, 'a list of parameters')
    for (const parameter of params) checkParameter(owner, device, parameter, names)
  })
}

function checkParameter(
  owner: string,
  device: Device,
  { name, shape, value }: Parameter<ParameterArray>,
  names: Set<string>,
): void {
  if (typeof name !== 'string' || name === '') throw optionError(owner, 'params[].name', name, 'a non-empty string')
  if (names.has(name)) throw optionError(owner, 'params[].name', name, 'a name that no other parameter has')
  names.add(name)
  const isTensor = Tensor.isTensor(value) && value.device === device && value.dtype === 'f32' && keepsArrays(device)
  if (!(value instanceof Float32Array || isTensor)) {
    const allowed = keepsArrays(device) ? 'a Float32Array or an f32 tensor of the device' : 'a Float32Array'
    throw optionError(owner, `${name}.value`, value, allowed)
  }
  const isShape = Array.isArray(shape) && shape.every((dimension) => Number.isInteger(dimension) && dimension >= 0)
  if (!isShape) throw optionError(owner, `${name}.shape`, shape, 'a list of integers >= 0')
  if (elements(shape) !== lengthOf(value)) {
    throw new KronrootError(
      'ERR_SHAPE',
      `${owner}: ${name} has shape [${shape.join(', ')}], ${elements(shape)} elements, but a value of ${lengthOf(value)}`,
    )
  }
}
