import type { Device } from '../device.js'
import { checkFields, KronrootError, shown } from '../errors.js'
import {
  disposeArrays,
  keepsArrays,
  lengthOf,
  onHost,
  type ParameterArray,
  withinBudget,
} from '../precondition/arrays.js'
import type { Schedule } from '../schedule/schedule.js'
import { numberIn, oneOf } from '../schedule/validate.js'
import { Tensor } from '../tensor.js'
import { GradientClip } from './clip.js'
import { PhaseClock, type PhaseTimes } from './clock.js'
import { planText } from './describe.js'
import { finiteOnly } from './elementwise.js'
import { type GroupOptions, type GroupStep, ParameterGroup } from './group.js'
import type { Gradients, ParameterSpec, RulePlan, SolveReport } from './rule.js'
import { loadSlots, type Slot, type StateDict, saveSlots } from './slots.js'

/** Options of all groups together. */
export interface OptimizerOptions {
  /**
   * A gradient with a NaN or an infinity: `skip` (default) leaves its parameter and its state alone in this step and
   * counts it in `report()`; `throw` raises ERR_NON_FINITE before anything is touched.
   */
  readonly nonFinite?: 'skip' | 'throw'
  /** Largest norm of all gradients together, > 0; longer ones are scaled down to it before any rule sees them. Default: none. */
  readonly clipNorm?: Schedule
  /**
   * Most bytes that the states of all rules may take, native and JavaScript together, > 0. What would go beyond it is refused
   * with ERR_OUT_OF_MEMORY before it is allocated, and everything is given back. Default: none.
   */
  readonly memoryCap?: number
}

/** A saved optimizer: plain data. */
export interface OptimizerState {
  readonly schema: 'kronroot.optimizer'
  readonly version: 1
  readonly step: number
  /** Arrays by `rule:parameter/field`. */
  readonly state: StateDict
}

/** What an optimizer holds and does. */
export interface OptimizerPlan {
  readonly groups: readonly RulePlan[]
  readonly bytes: number
  readonly flopsPerStep: number
  readonly flopsPerRefresh: number
  readonly nativeCallsPerStep: number
  readonly nativeCallsPerRefresh: number
  /** The same, for people. */
  readonly text: string
}

/** Health of an optimizer since it was made or loaded. */
export interface OptimizerReport {
  readonly steps: number
  /** Matrices that were not answered, over all solves. */
  readonly failures: number
  /** Steps in which a parameter was left alone because its gradient was not finite, by parameter. */
  readonly nonFinite: Readonly<Record<string, number>>
  readonly groups: readonly { readonly rule: string; readonly solves: readonly SolveReport[] }[]
}

const SCHEMA = 'kronroot.optimizer'
const VERSION = 1

/**
 * The rules of all groups with their states and the count of steps: what an optimizer is, but for where its parameters
 * live. `Optimizer` drives it over Float32Arrays in place, the integrations over the arrays of a framework.
 */
export class ParameterGroups {
  readonly device: Device
  /** All parameters, group after group. */
  readonly parameters: readonly ParameterSpec[]
  readonly #groups: readonly ParameterGroup[]
  readonly #clock: PhaseClock
  readonly #throwsOnNonFinite: boolean
  readonly #clip: GradientClip
  readonly #nonFinite: Map<string, number> = new Map()
  /** Gradients from JavaScript's memory, on a device with memory of its own. */
  readonly #received: (Tensor | undefined)[] = []
  #step = 0
  #isDisposed = false

  /** Throws ERR_OPTION or ERR_SHAPE, naming the group and the field or parameter; then no memory is held. */
  constructor(
    device: Device,
    groups: readonly { readonly parameters: readonly ParameterSpec[]; readonly options: GroupOptions }[],
    options: OptimizerOptions,
    clock = new PhaseClock(),
  ) {
    checkFields('Optimizer', options, ['nonFinite', 'clipNorm', 'memoryCap'])
    const nonFinite = oneOf('Optimizer', 'nonFinite', options.nonFinite ?? 'skip', ['skip', 'throw'])
    this.#throwsOnNonFinite = nonFinite === 'throw'
    this.#clock = clock
    this.device = device
    this.parameters = groups.flatMap(({ parameters }) => parameters)
    this.#clip = new GradientClip(device, options.clipNorm)
    const { memoryCap } = options
    if (memoryCap !== undefined) numberIn('Optimizer', 'memoryCap', memoryCap, { above: 0 })
    const created: ParameterGroup[] = []
    try {
      withinBudget('Optimizer: memoryCap', memoryCap, () => {
        groups.forEach((group, index) => {
          created.push(new ParameterGroup(`group ${index}`, device, group.parameters, group.options))
        })
      })
    } catch (error) {
      for (const group of created) group.dispose()
      throw error
    }
    this.#groups = created
  }

  /** Steps made so far. */
  get steps(): number {
    return this.#step
  }

  /** Whether a step needs the values of the parameters. */
  get needsValues(): boolean {
    return this.#groups.some((group) => group.needsValues)
  }

  /**
   * Advances all rules by one step. Gradients (and values) are in the order of `parameters`; nothing of them is changed.
   * The step counts when all groups have answered and `apply` has returned. `examples` are lists like `gradients`, see
   * {@link RuleContext}.
   */
  advance(
    gradients: Gradients,
    values: readonly ParameterArray[] | undefined,
    apply: (steps: readonly GroupStep[]) => void = () => {},
    examples?: readonly Gradients[],
  ): readonly GroupStep[] {
    this.#assertUsable()
    const step = this.#step + 1
    const whole = this.#withoutNonFinite(this.#onDevice(gradients))
    const finite = this.#clock.time('apply', () => this.#clip.apply(whole, step))
    const borrowed: Tensor[] = []
    try {
      const lists = examples?.map((list) => this.#borrow(list, borrowed))
      let first = 0
      const steps = this.#groups.map((group) => {
        const last = first + group.parameters.length
        const own = lists?.map((list) => list.slice(first, last))
        const answer = group.advance(finite.slice(first, last), values?.slice(first, last), step, this.#clock, own)
        first = last
        return answer
      })
      apply(steps)
      this.#step = step
      return steps
    } finally {
      disposeArrays(borrowed)
    }
  }

  /** What is to be evaluated: copies of the averages that rules keep, or of the values (in the order of `parameters`). */
  evaluation(values: readonly ParameterArray[]): readonly Float32Array[] {
    this.#assertUsable()
    let first = 0
    return this.#groups.flatMap((group) => {
      const own = values.slice(first, first + group.parameters.length)
      first += own.length
      return group.evaluation(own).map((array, index) => onHost(array ?? own[index]!).slice())
    })
  }

  stateDict(): OptimizerState {
    this.#assertUsable()
    return { schema: SCHEMA, version: VERSION, step: this.#step, state: saveSlots(this.#slots()) }
  }

  loadStateDict(saved: OptimizerState): void {
    this.#assertUsable()
    if (saved?.schema !== SCHEMA || saved.version !== VERSION) {
      const got = `${shown(saved?.schema)} version ${shown(saved?.version)}`
      throw new KronrootError(
        'ERR_STATE',
        `loadStateDict: the state must be of ${SCHEMA} version ${VERSION}, got ${got}`,
      )
    }
    if (!Number.isInteger(saved.step) || saved.step < 0) {
      throw new KronrootError('ERR_STATE', `loadStateDict: step must be an integer >= 0, got ${shown(saved.step)}`)
    }
    loadSlots(this.#slots(), saved.state)
    this.#step = saved.step
  }

  describe(): OptimizerPlan {
    const groups = this.#groups.map((group) => group.describe())
    const sum = (pick: (plan: RulePlan) => number) => groups.reduce((total, plan) => total + pick(plan), 0)
    return {
      groups,
      bytes: sum((plan) => plan.bytes),
      flopsPerStep: sum((plan) => plan.flopsPerStep),
      flopsPerRefresh: sum((plan) => plan.flopsPerRefresh),
      nativeCallsPerStep: sum((plan) => plan.nativeCallsPerStep),
      nativeCallsPerRefresh: sum((plan) => plan.nativeCallsPerRefresh),
      text: groups.map((plan, index) => planText(plan, `group ${index}`)).join('\n'),
    }
  }

  report(): OptimizerReport {
    const groups = this.#groups.map((group) => ({ rule: group.rule.name, solves: group.report() }))
    const solves = groups.flatMap((group) => group.solves)
    return {
      steps: this.#step,
      failures: solves.reduce((total, { failures }) => total + failures, 0),
      nonFinite: Object.fromEntries(this.#nonFinite),
      groups,
    }
  }

  async settled(): Promise<void> {
    await Promise.all(this.#groups.map((group) => group.settled()))
  }

  timings(): PhaseTimes {
    return this.#clock.times()
  }

  dispose(): void {
    if (this.#isDisposed) return
    this.#isDisposed = true
    for (const group of this.#groups) group.dispose()
    disposeArrays([...this.#received, ...this.#clip.arrays])
  }

  #slots(): readonly Slot[] {
    return this.#groups.flatMap((group) => group.slots())
  }

  #assertUsable(): void {
    if (this.#isDisposed) throw new KronrootError('ERR_DISPOSED', 'the optimizer was disposed')
  }

  /** Moves gradients to where the step works, once. */
  #onDevice(gradients: Gradients): Gradients {
    if (!keepsArrays(this.device)) return gradients.map((gradient) => gradient && onHost(gradient))
    return gradients.map((gradient, index) => {
      if (gradient === null || Tensor.isTensor(gradient)) return gradient
      const received = this.#received[index] ?? this.device.empty([lengthOf(gradient)])
      this.#received[index] = received
      received.write(gradient)
      return received
    })
  }

  /** The same for gradients of which any number may come, in tensors that the caller disposes after the step. */
  #borrow(gradients: Gradients, borrowed: Tensor[]): Gradients {
    if (!keepsArrays(this.device)) return gradients.map((gradient) => gradient && onHost(gradient))
    return gradients.map((gradient) => {
      if (gradient === null || Tensor.isTensor(gradient)) return gradient
      const tensor = this.device.tensor(gradient, [gradient.length])
      borrowed.push(tensor)
      return tensor
    })
  }

  #withoutNonFinite(gradients: Gradients): Gradients {
    const finite = this.#clock.time('apply', () => finiteOnly(this.device, gradients))
    const names = this.parameters.filter((_, index) => gradients[index] !== finite[index]).map(({ name }) => name)
    if (names.length > 0 && this.#throwsOnNonFinite) {
      throw new KronrootError('ERR_NON_FINITE', `step: the gradients of ${names.join(', ')} are not finite`)
    }
    for (const name of names) this.#nonFinite.set(name, (this.#nonFinite.get(name) ?? 0) + 1)
    return finite
  }
}
