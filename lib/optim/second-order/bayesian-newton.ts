import type { Device } from '../../device.js'
import { checkFields, KronrootError } from '../../errors.js'
import { matmul } from '../../linalg/matmul.js'
import { spdSolve } from '../../linalg/spd-solve.js'
import { copyAll, onHost, type ParameterArray } from '../../precondition/arrays.js'
import { elements } from '../../precondition/plan.js'
import { FailureLedger } from '../../precondition/recovery.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn, oneOf } from '../../schedule/validate.js'
import type { Tensor } from '../../tensor.js'
import { countElements } from '../describe.js'
import { updateAll } from '../elementwise.js'
import { type Arrays, answered, callback } from '../oracle.js'
import type { Gradients, ParameterSpec, Rule, RuleContext, RulePlan } from '../rule.js'
import { arraySlot } from '../slots.js'
import { type Parts, TensorPool } from '../tensor-pool.js'

/** Options of {@link bayesianNewton}. */
export interface BayesianNewtonOptions {
  /**
   * Hessian (or Gauss-Newton or Fisher matrix) of the current batch at the values, symmetric and row-major: with `block` one
   * matrix [elements, elements] a parameter, with `dense` a single one over all elements of the group.
   */
  readonly hessianAt: (values: Arrays) => Arrays
  /** Default `block`. */
  readonly structure?: 'block' | 'dense'
  /** q_H >= 0: variance of what the Hessian changes in a step, over that of a batch's estimate of it. Default 0.01. */
  readonly hessianDrift?: Schedule
  /** q_g >= 0, the same of the gradient's change beyond that which the Hessian predicts. Default 0.1. */
  readonly gradientDrift?: Schedule
  /** lambda > 0, added to the Hessian. Default 0.001. */
  readonly damping?: Schedule
  /** Elements of a block beyond which its matrix is refused. Default 2048. */
  readonly maxElements?: number
}

/** One array a block, and of each block one view a member. */
interface Blocked extends Parts {
  readonly pieces: readonly (readonly Tensor[])[]
}

/** Blocks of one order m. */
interface Blocks {
  readonly order: number
  /** Parameters of each block: one, or all of the group. */
  readonly members: readonly (readonly number[])[]
  /** [blocks, m, m] */
  readonly hessian: Blocked
  /** [blocks, m, 1] each */
  readonly gradient: Blocked
  readonly last: Blocked
  readonly moved: Blocked
  readonly solved: Blocked
  readonly direction: Blocked
  /** Index of each block in the callback's answer. */
  readonly answers: readonly number[]
  /** Variances, Infinity before anything was seen. */
  readonly hessianVariance: Float64Array
  readonly gradientVariance: Float64Array
  readonly ledger: FailureLedger
}

/** State of {@link bayesianNewton}. */
export interface BayesianNewtonState {
  readonly device: Device
  readonly parameters: readonly ParameterSpec[]
  readonly pool: TensorPool
  readonly blocks: readonly Blocks[]
  /** Lengths of what the callback returns. */
  readonly answer: readonly { readonly length: number }[]
}

/**
 * Newton's method on filtered curvature: the Hessian and the gradient of the whole problem are hidden, those of the batches are
 * noisy observations, and a Kalman filter with scalar variances (in units of the observations' own) follows them:
 *
 *     P <- P + q,   K = P / (P + 1),   P <- K                                    each for H and g; the first K is 1
 *     g^ <- g^ + H^ (w_t - w_{t-1}),   g^ <- g^ + K_g (g - g^)                   what a move does to g is predicted by H^
 *     H^ <- H^ + K_H (H - H^)
 *     D = (H^ + lambda I)^{-1} g^
 *
 * With q = 0 all observations count equally, with a large one the newest alone. The memory of g^ acts like momentum that
 * turns with the curvature. Where a block is not positive definite its lambda is ten times as large, as often as need be;
 * `report()` counts these blocks.
 *
 * For small problems: a block of m elements holds m^2 numbers. With `dense` the group is coupled, and a step in which one of
 * its parameters has no gradient moves nothing. A step: one matmul and one `spdSolve` for each order of blocks.
 *
 * Source: Kalman, J. Basic Eng. 82 (1960); sub-sampled Newton: Roosta-Khorasani and Mahoney, arXiv 1601.04737.
 */
export function bayesianNewton(options: BayesianNewtonOptions): Rule<BayesianNewtonState> {
  const owner = 'bayesianNewton'
  checkFields(owner, options, ['hessianAt', 'structure', 'hessianDrift', 'gradientDrift', 'damping', 'maxElements'])
  const hessianAt = callback(owner, 'hessianAt', options.hessianAt)
  const structure = oneOf(owner, 'structure', options.structure ?? 'block', ['block', 'dense'])
  const hessianDrift = hyperparameter(owner, 'hessianDrift', options.hessianDrift ?? 0.01, { min: 0 })
  const gradientDrift = hyperparameter(owner, 'gradientDrift', options.gradientDrift ?? 0.1, { min: 0 })
  const damping = hyperparameter(owner, 'damping', options.damping ?? 1e-3, { above: 0 })
  const most = numberIn(owner, 'maxElements', options.maxElements ?? 2048, { min: 1, integer: true })
  return {
    name: owner,
    needsValues: true,
    init: (parameters, device) => {
      const sizes = parameters.map(({ shape }) => elements(shape))
      const groups =
        structure === 'dense' ? [parameters.map((_, index) => index)] : parameters.map((_, index) => [index])
      const orders = groups.map((members) => members.reduce((sum, index) => sum + sizes[index]!, 0))
      refuseLarge(owner, Math.max(0, ...orders), most)
      const pool = new TensorPool(device)
      const distinct = [...new Set(orders)].filter((order) => order > 0)
      return {
        device,
        parameters,
        pool,
        blocks: distinct.map((order) => {
          const answers = orders.flatMap((own, index) => (own === order ? [index] : []))
          return createBlocks(
            pool,
            order,
            answers.map((index) => groups[index]!),
            answers,
            parameters,
          )
        }),
        answer: orders.map((order) => ({ length: order * order })),
      }
    },
    update: (gradients, state, context) => {
      const { step, clock } = context
      const values = valuesOf(owner, context)
      const hessians = answered(owner, 'hessianAt', hessianAt(values.map(onHost)), state.answer)
      const directions: (ParameterArray | null)[] = gradients.map((gradient) => gradient && new Float32Array(0))
      for (const blocks of state.blocks) {
        const active = blocks.members.flatMap((members, block) =>
          members.every((index) => gradients[index]) ? [block] : [],
        )
        const seen = { gradients, values, hessians }
        clock.time('statistics', () =>
          filter(state.device, blocks, active, seen, gradientDrift(step), hessianDrift(step)),
        )
        clock.time('apply', () => solve(owner, blocks, active, damping(step)))
        blocks.members.forEach((members, block) => {
          members.forEach((index, position) => {
            directions[index] = active.includes(block) ? blocks.direction.pieces[block]![position]! : null
          })
        })
      }
      return directions
    },
    describe: (state) => describeBlocks(owner, state),
    slots: (state) =>
      state.blocks.flatMap((blocks) =>
        blocks.members.flatMap((members, block) => {
          const variances = state.parameters[members[0]!]!.name
          return [
            ...members.flatMap((index, position) => {
              const { name } = state.parameters[index]!
              return [
                arraySlot(`${name}/hessian`, blocks.hessian.pieces[block]![position]!),
                arraySlot(`${name}/gradient`, blocks.gradient.pieces[block]![position]!),
                arraySlot(`${name}/lastValues`, blocks.last.pieces[block]![position]!),
              ]
            }),
            arraySlot(`${variances}/hessianVariance`, blocks.hessianVariance, block, 1),
            arraySlot(`${variances}/gradientVariance`, blocks.gradientVariance, block, 1),
          ]
        }),
      ),
    report: ({ blocks }) => blocks.map(({ order, ledger }) => ({ factor: `${order}x${order}`, ...ledger.summary() })),
    dispose: ({ pool }) => pool.dispose(),
  }
}

function refuseLarge(owner: string, order: number, most: number): void {
  if (order <= most) return
  throw new KronrootError(
    'ERR_SHAPE',
    `${owner}: a block has ${order} elements and its matrix ${order}^2, which maxElements (${most}) does not allow`,
  )
}

function valuesOf(owner: string, { parameters }: RuleContext) {
  if (parameters !== undefined) return parameters
  throw new KronrootError('ERR_OPTION', `${owner}: the values of the parameters are needed`)
}

function createBlocks(
  pool: TensorPool,
  order: number,
  members: readonly (readonly number[])[],
  answers: readonly number[],
  parameters: readonly ParameterSpec[],
): Blocks {
  const sizes = members.map((list) => list.map((index) => elements(parameters[index]!.shape)))
  const blocked = (shape: readonly number[], width: number): Blocked => {
    const { tensor, parts } = pool.parts(members.length, shape)
    return {
      tensor,
      parts,
      pieces: parts.map((part, block) =>
        pool.views(
          part,
          sizes[block]!.map((size) => size * width),
        ),
      ),
    }
  }
  const vector = () => blocked([order, 1], 1)
  return {
    order,
    members,
    answers,
    hessian: blocked([order, order], order),
    gradient: vector(),
    last: vector(),
    moved: vector(),
    solved: vector(),
    direction: vector(),
    hessianVariance: new Float64Array(members.length).fill(Number.POSITIVE_INFINITY),
    gradientVariance: new Float64Array(members.length).fill(Number.POSITIVE_INFINITY),
    ledger: new FailureLedger(
      members.map((list) => list.map((index) => parameters[index]!.name).join(', ')),
      Number.POSITIVE_INFINITY,
    ),
  }
}

/** What a step sees: one array a parameter, and the matrices of the callback. */
interface Observation {
  readonly gradients: Gradients
  readonly values: readonly ParameterArray[]
  readonly hessians: Arrays
}

/** K = P / (P + 1) of the variance P + q, which becomes K. */
function gain(variances: Float64Array, block: number, drift: number): number {
  const predicted = variances[block]! + drift
  const gained = predicted === Number.POSITIVE_INFINITY ? 1 : predicted / (predicted + 1)
  variances[block] = gained
  return gained
}

/** Predicts, and corrects by what is seen, the active blocks. */
function filter(
  device: Device,
  blocks: Blocks,
  active: readonly number[],
  { gradients, values, hessians }: Observation,
  gradientDrift: number,
  hessianDrift: number,
): void {
  const { members, answers, hessian, gradient, last, moved, gradientVariance, hessianVariance } = blocks
  if (active.length === 0) return
  for (const part of moved.parts) part.write(new Float32Array(part.size))
  const pieces = active.flatMap((block) => members[block]!.map((index, position) => ({ index, block, position })))
  const differences = pieces.flatMap(({ index, block, position }) => {
    if (hessianVariance[block] === Number.POSITIVE_INFINITY) return []
    const direction = moved.pieces[block]![position]!
    return [{ gradient: values[index]!, m: last.pieces[block]![position]!, fromGradient: 1, fromM: -1, direction }]
  })
  updateAll(device, 'combine', differences)
  matmul(hessian.tensor, moved.tensor, { beta: 1, out: gradient.tensor })
  copyAll(
    device,
    pieces.map(({ index, block, position }) => ({ from: values[index]!, to: last.pieces[block]![position]! })),
  )
  const gains = new Map(active.map((block) => [block, gain(gradientVariance, block, gradientDrift)]))
  const corrected = pieces.map(({ index, block, position }) => {
    const m = gradient.pieces[block]![position]!
    const own = gains.get(block)!
    return { gradient: gradients[index]!, m, fromGradient: own, fromM: 1 - own, direction: m }
  })
  updateAll(device, 'combine', corrected)
  const matrices = active.map((block) => {
    const m = hessian.parts[block]!
    const own = gain(hessianVariance, block, hessianDrift)
    return { gradient: hessians[answers[block]!]!, m, fromGradient: own, fromM: 1 - own, direction: m }
  })
  updateAll(device, 'combine', matrices)
}

const ATTEMPTS = 16

/** direction <- (H^ + lambda I)^{-1} g^ of the active blocks, lambda ten times as large for those that are not positive. */
function solve(owner: string, blocks: Blocks, active: readonly number[], damping: number): void {
  const { hessian, gradient, solved, direction, ledger } = blocks
  let pending = new Set(active)
  for (let attempt = 0; attempt < ATTEMPTS && pending.size > 0; attempt++) {
    const ridge = { absolute: damping * 10 ** attempt }
    const { report } = spdSolve(hessian.tensor, gradient.tensor, { ridge, out: solved.tensor })
    if (attempt === 0) ledger.record(report, (block) => pending.has(block))
    const answeredNow = [...pending].filter((block) => report.status[block] === 'ok')
    copyAll(
      hessian.tensor.device,
      answeredNow.map((block) => ({ from: solved.parts[block]!, to: direction.parts[block]! })),
    )
    pending = new Set([...pending].filter((block) => !answeredNow.includes(block)))
  }
  if (pending.size === 0) return
  throw new KronrootError(
    'ERR_NOT_CONVERGED',
    `${owner}: ${pending.size} blocks of order ${blocks.order} have no solution`,
  )
}

function describeBlocks(rule: string, { parameters, pool, blocks, answer }: BayesianNewtonState): RulePlan {
  return {
    rule,
    parameters: parameters.length,
    elements: countElements(parameters),
    buckets: blocks.map(({ order, members }) => ({
      shape: [order, order],
      blocks: members.length,
      kernels: ['matmul', 'spdSolve'],
    })),
    bytes: pool.bytes + 4 * answer.reduce((sum, { length }) => sum + length, 0),
    flopsPerStep: blocks.reduce(
      (sum, { order, members }) => sum + members.length * (order ** 3 / 3 + 5 * order ** 2),
      0,
    ),
    flopsPerRefresh: 0,
    nativeCallsPerStep: 2 * blocks.length,
    nativeCallsPerRefresh: 0,
  }
}
