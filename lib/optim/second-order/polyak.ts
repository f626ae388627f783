import { checkFields } from '../../errors.js'
import { onHost } from '../../precondition/arrays.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn, oneOf, optionError } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import { answeredLoss, callback, type HessianVector, type LossAt } from '../oracle.js'
import type { Gradients, Rule } from '../rule.js'
import { arraySlot } from '../slots.js'
import { groupPlan } from './group-plan.js'
import { GroupSpace, type GroupVector } from './group-space.js'
import { Hutchinson } from './hutchinson.js'

/** The diagonal B of {@link polyak}. */
export type PolyakPreconditioner = 'identity' | 'adam' | 'adagrad' | 'hutchinson'

/** Options of {@link polyak}. */
export interface PolyakOptions {
  /** Loss of the current batch. */
  readonly lossAt: LossAt
  /** Default `adam`. */
  readonly preconditioner?: PolyakPreconditioner
  /** The Hessian times vectors, for `hutchinson`. */
  readonly hessianVector?: HessianVector
  /** f*, the least loss of a batch. Default 0. */
  readonly leastLoss?: Schedule
  /** c > 0. Default 0.5. */
  readonly c?: Schedule
  /** gamma_b > 0, the longest step. Default 1. */
  readonly maxStep?: Schedule
  /** Decay of the second moment or of the diagonal, 0 <= beta2 < 1. Default 0.999. Not for `adagrad` and `identity`. */
  readonly beta2?: Schedule
  /** Added to the root (`adam`, `adagrad`), or the least magnitude of the diagonal (`hutchinson`), > 0. Default 1e-8. */
  readonly epsilon?: Schedule
  /** Seed of the probes, an integer. Default 0. */
  readonly seed?: number
}

/** State of {@link polyak}. */
export interface PolyakState {
  readonly space: GroupSpace
  readonly hutchinson: Hutchinson | undefined
  /** Second moment, or the diagonal; undefined for the identity. */
  readonly diagonal: GroupVector | undefined
  /** Product of all beta2 so far, by parameter. */
  readonly startWeights: Float64Array
  readonly gradient: GroupVector
  readonly direction: GroupVector
  readonly sample: GroupVector | undefined
}

/**
 * Stochastic Polyak steps in the norm of a diagonal B:
 *
 *     D = gamma B^{-1} g,   gamma = min((f - f*) / (c g^T B^{-1} g), gamma_b)
 *
 *     adam         B = sqrt(v') + epsilon,   v <- beta2 v + (1 - beta2) g^2, corrected for its start at zero
 *     adagrad      B = sqrt(v) + epsilon,    v <- v + g^2
 *     hutchinson   B = max(|d'|, epsilon),   d <- beta2 d + (1 - beta2) z o (H z), corrected for its start at zero
 *     identity     B = I
 *
 * lr multiplies D: 1 is the method. f is the loss of the batch at the values before the step; at or below f* nothing moves.
 *
 * gamma couples all parameters of a group that have a gradient. State: 1 number an element (`identity`: none). A step: one
 * evaluation of the loss, for `hutchinson` one Hessian-vector product, elementwise calls, one dot product.
 *
 * Source: Loizou et al., arXiv 2002.10542 (SPS_max); Abdukhakimov et al., arXiv 2310.02093.
 */
export function polyak(options: PolyakOptions): Rule<PolyakState> {
  const owner = 'polyak'
  const known = ['lossAt', 'preconditioner', 'hessianVector', 'leastLoss', 'c', 'maxStep', 'beta2', 'epsilon', 'seed']
  checkFields(owner, options, known)
  const lossAt = callback(owner, 'lossAt', options.lossAt)
  const kind = oneOf(owner, 'preconditioner', options.preconditioner ?? 'adam', [
    'identity',
    'adam',
    'adagrad',
    'hutchinson',
  ])
  const hessianVector = callback(owner, 'hessianVector', options.hessianVector, kind !== 'hutchinson')
  if (kind !== 'hutchinson' && hessianVector !== undefined) {
    throw optionError(owner, 'hessianVector', hessianVector, `left out, because preconditioner is '${kind}'`)
  }
  const leastLoss = hyperparameter(owner, 'leastLoss', options.leastLoss ?? 0, {})
  const c = hyperparameter(owner, 'c', options.c ?? 0.5, { above: 0 })
  const maxStep = hyperparameter(owner, 'maxStep', options.maxStep ?? 1, { above: 0 })
  const beta2 = hyperparameter(owner, 'beta2', options.beta2 ?? 0.999, { min: 0, below: 1 })
  const epsilon = hyperparameter(owner, 'epsilon', options.epsilon ?? 1e-8, { above: 0 })
  const seed = numberIn(owner, 'seed', options.seed ?? 0, { integer: true })
  return {
    name: owner,
    needsValues: true,
    init: (parameters, device) => {
      const space = new GroupSpace(parameters, device)
      const isHutchinson = kind === 'hutchinson'
      return {
        space,
        hutchinson: isHutchinson ? new Hutchinson(space, seed) : undefined,
        diagonal: kind === 'identity' ? undefined : space.vector(),
        startWeights: new Float64Array(parameters.length).fill(1),
        gradient: space.vector(),
        direction: space.vector(),
        sample: isHutchinson ? space.vector() : undefined,
      }
    },
    update: (gradients, state, context) => {
      const { space, hutchinson, gradient, direction, sample } = state
      const { step, clock } = context
      const loss = answeredLoss(owner, 'lossAt', lossAt(space.valuesOf(owner, context).map(onHost)))
      clock.time('statistics', () => hutchinson?.sample(owner, hessianVector!, gradients, context, sample!))
      clock.time('apply', () => {
        space.gather(gradients, gradient)
        space.clear(direction)
        precondition(kind, state, gradients, beta2(step), epsilon(step))
        const norm = space.dot(gradient, direction)
        const wanted = (loss - leastLoss(step)) / (c(step) * norm)
        const length = norm > 0 ? Math.min(maxStep(step), Math.max(0, wanted)) : 0
        space.scale(length, direction, direction)
      })
      return space.directions(direction, gradients)
    },
    describe: ({ space, hutchinson }) =>
      groupPlan(owner, space, { flopsPerStep: 12 * space.size, bytes: hutchinson?.bytes ?? 0 }),
    slots: ({ space, diagonal, startWeights }) =>
      diagonal === undefined
        ? []
        : [
            ...space.slots('diagonal', diagonal),
            ...space.parameters.map(({ name }, index) => arraySlot(`${name}/start`, startWeights, index, 1)),
          ],
    report: () => [],
    dispose: ({ space }) => space.dispose(),
  }
}

/** direction <- B^{-1} g, B brought up to date. */
function precondition(
  kind: PolyakPreconditioner,
  { space, diagonal, startWeights, direction, sample }: PolyakState,
  gradients: Gradients,
  beta2: number,
  epsilon: number,
): void {
  const { device } = space
  const present = gradients.flatMap((gradient, index) => (gradient === null ? [] : [{ gradient, index }]))
  const into = (index: number) => ({ fromGradient: 1, epsilon, direction: direction.parts[index]! })
  if (diagonal === undefined) {
    updateAll(
      device,
      'combine',
      present.map(({ gradient, index }) => ({ gradient, fromGradient: 1, direction: direction.parts[index]! })),
    )
    return
  }
  for (const { index } of present) startWeights[index]! *= beta2
  const correction = (index: number) => 1 / (1 - startWeights[index]!)
  if (kind === 'hutchinson') {
    updateAll(
      device,
      'momentum',
      present.map(({ index }) => ({
        gradient: sample!.parts[index]!,
        m: diagonal.parts[index]!,
        mDecay: beta2,
        mWeight: 1 - beta2,
      })),
    )
    updateAll(
      device,
      'quotient',
      present.map(({ gradient, index }) => ({
        ...into(index),
        gradient,
        v: diagonal.parts[index]!,
        vScale: correction(index),
      })),
    )
    return
  }
  const isSum = kind === 'adagrad'
  updateAll(
    device,
    'adam',
    present.map(({ gradient, index }) => ({
      ...into(index),
      gradient,
      v: diagonal.parts[index]!,
      vDecay: isSum ? 1 : beta2,
      vWeight: isSum ? 1 : 1 - beta2,
      vScale: isSum ? 1 : correction(index),
    })),
  )
}
