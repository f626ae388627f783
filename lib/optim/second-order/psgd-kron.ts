import type { Device } from '../../device.js'
import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn } from '../../schedule/validate.js'
import { countElements } from '../describe.js'
import { finiteOnly } from '../elementwise.js'
import { type FilterState, gradientFilter } from '../filter.js'
import type { ParameterSpec, Rule, RulePlan } from '../rule.js'
import { arraySlot } from '../slots.js'
import { TensorPool } from '../tensor-pool.js'
import { memberDirections, memberNames, stacksOf } from './matrix-stacks.js'
import { uniformAt } from './probes.js'
import { createWhitening, precondition, updateWhitening, type Whitening } from './psgd-whitening.js'
import { stackPlan } from './stack-plan.js'

/** Options of {@link psgdKron}. */
export interface PsgdKronOptions {
  /** Decay of the average that is preconditioned, 0 <= beta1 < 1. Default 0.9; 0 stores none. */
  readonly beta1?: Schedule
  /** Step of the preconditioner, 0 < preconditionerLr <= 1. Default 0.1. */
  readonly preconditionerLr?: Schedule
  /** Decay of the Lipschitz constants L, 0 <= betaL < 1. Default 0.9. */
  readonly betaL?: Schedule
  /** Probability that a step updates the preconditioner, 0 to 1. Default 1. */
  readonly updateProbability?: Schedule
  /**
   * Noise on the gradient, times its RMS, >= 0. Without it the factors grow in directions in which nothing ever comes, in the
   * end beyond fp32. Default 1e-4.
   */
  readonly damping?: Schedule
  /** Largest side with a dense factor, >= 1. Default 8192. */
  readonly maxSize?: number
  /** A side of d has a dense factor if d^2 <= maxSkew times the elements. Default 1. */
  readonly maxSkew?: number
  /** Largest RMS of a direction, > 0. Default 2. */
  readonly maxRms?: Schedule
  /** Seed of the noise and of the choice of steps, an integer. Default 0. */
  readonly seed?: number
}

/** State of {@link psgdKron}. */
export interface PsgdKronState {
  readonly device: Device
  readonly parameters: readonly ParameterSpec[]
  readonly pool: TensorPool
  readonly stacks: readonly Whitening[]
  readonly filter: FilterState
}

/**
 * PSGD with Kronecker factors, whitening the gradient: P = (Q_L^T Q_L) (x) (Q_R^T Q_R) with E[(P g)(P g)^T] = I, and D = P m of
 * the gradient's average m. For each side, of size d out of n elements, with X = P g from the factors so far,
 *
 *     t = X X^T (left) or X^T X (right),   L <- max(betaL L + (1 - betaL) l, l),   l = |t|_2 + n / d
 *     Q <- Q - (lr / L) (t - n / d) Q                                              |t|_2 from below, by 4 power iterations
 *     R = (Q^T - Q) / |Q^T - Q|_2,   a = min(1/8, -tr(R Q) / tr(R^2 Q))
 *     Q <- Q + a (R Q + a R^2 Q / 2)                                               keeps Q close to symmetric
 *
 * ("Q0.5EQ1.5"): products alone, no inverse, no triangular solve. Sides that are too long (`maxSize`, `maxSkew`) have a diagonal
 * q, with t the diagonal of X X^T. A parameter's first gradient other than 0 sets Q so that RMS(P g) = 1; every 100 updates the
 * largest elements of the factors are made equal. Dimensions from the second on are one; vectors have one, diagonal, factor.
 * A step updates the factors with probability `updateProbability`: decay it, for example
 * (step) => Math.max(0.03, Math.exp(-1e-3 * Math.max(0, step - 500))), to save most of the cost.
 *
 * A parameter whose gradient is 0 keeps its factors. State: the factors (at most twice the elements), with beta1 one average.
 *
 * Source: Li, arXiv 1512.04202 and 2402.11858, and his psgd_torch for the geometry; Pooladzandi and Li, arXiv 2402.04553.
 */
export function psgdKron(options: PsgdKronOptions = {}): Rule<PsgdKronState> {
  const owner = 'psgdKron'
  const known = [
    'beta1',
    'preconditionerLr',
    'betaL',
    'updateProbability',
    'damping',
    'maxSize',
    'maxSkew',
    'maxRms',
    'seed',
  ]
  checkFields(owner, options, known)
  const beta1 = options.beta1 ?? 0.9
  const filter = gradientFilter(owner, beta1, beta1, true)
  const rate = hyperparameter(owner, 'preconditionerLr', options.preconditionerLr ?? 0.1, { above: 0, max: 1 })
  const betaL = hyperparameter(owner, 'betaL', options.betaL ?? 0.9, { min: 0, below: 1 })
  const probability = hyperparameter(owner, 'updateProbability', options.updateProbability ?? 1, { min: 0, max: 1 })
  const damping = hyperparameter(owner, 'damping', options.damping ?? 1e-4, { min: 0 })
  const maxSize = numberIn(owner, 'maxSize', options.maxSize ?? 8192, { min: 1, integer: true })
  const maxSkew = numberIn(owner, 'maxSkew', options.maxSkew ?? 1, { min: 0 })
  const maxRms = hyperparameter(owner, 'maxRms', options.maxRms ?? 2, { above: 0 })
  const seed = numberIn(owner, 'seed', options.seed ?? 0, { integer: true })
  return {
    name: owner,
    init: (parameters, device) => {
      const pool = new TensorPool(device)
      const kind = (size: number, total: number) =>
        size <= maxSize && size * size <= maxSkew * total ? 'dense' : 'diagonal'
      return {
        device,
        parameters,
        pool,
        stacks: stacksOf(parameters, kind).map((stack) => createWhitening(pool, stack)),
        filter: filter.init(parameters, device),
      }
    },
    update: (gradients, state, { step, clock }) => {
      const { device, parameters, stacks } = state
      const usable = finiteOnly(device, gradients)
      clock.time('statistics', () => {
        const isDue = uniformAt(seed, step) < probability(step)
        const settings = { isDue, rate: rate(step), betaL: betaL(step), damping: damping(step), seed, step }
        for (const whitening of stacks) updateWhitening(whitening, usable, parameters, settings)
      })
      const filtered = filter.update(usable, state.filter, step)
      clock.time('apply', () => {
        for (const whitening of stacks) precondition(whitening, filtered, maxRms(step))
      })
      return memberDirections(
        stacks.map(({ stack, output }) => [stack, output]),
        filtered,
      )
    },
    describe: (state) => describePsgd(owner, state),
    slots: ({ parameters, stacks, filter: average }) => [
      ...filter.slots(average),
      ...stacks.flatMap(({ stack, factors, updates }) =>
        memberNames(stack, parameters).flatMap((name, member) => [
          arraySlot(`${name}/updates`, updates, member, 1),
          ...factors.flatMap(({ factor, lipschitz }, side) => [
            arraySlot(`${name}/factor${side}`, factor.parts[member]!),
            arraySlot(`${name}/lipschitz${side}`, lipschitz, member, 1),
          ]),
        ]),
      ),
    ],
    report: () => [],
    dispose: ({ pool, filter: average }) => {
      pool.dispose()
      filter.dispose(average)
    },
  }
}

function describePsgd(rule: string, { parameters, pool, stacks, filter }: PsgdKronState): RulePlan {
  return stackPlan(parameters, stacks, {
    rule,
    bytes: pool.bytes + (filter.parameters.length === 0 ? 0 : 8 * countElements(parameters)),
    kernels: (kind) => (kind === 'dense' ? 'kronApply, gram, normEstimate, matmul x 4' : 'matmul x 2'),
    // Four products with the stack and a Gram matrix, four products of the factor.
    flops: { element: 20, product: 9, cube: 8 },
    calls: { dense: 4, side: 7 },
  })
}
