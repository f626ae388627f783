import { checkFields } from '../../errors.js'
import { onHost } from '../../precondition/arrays.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn, oneOf, optionError } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import { type Arrays, answered, callback, type HessianVector } from '../oracle.js'
import type { Gradients, Rule, RuleContext } from '../rule.js'
import { arraySlot } from '../slots.js'
import { groupPlan } from './group-plan.js'
import { GroupSpace, type GroupVector } from './group-space.js'
import { Hutchinson } from './hutchinson.js'

/** How {@link sophia} estimates the diagonal of the curvature. */
export type SophiaEstimate =
  /** z o (H z), z of random signs. */
  | { readonly kind: 'hutchinson'; readonly hessianVector: HessianVector }
  /** Gauss, Newton and Bartlett: B g^ o g^, g^ the mean gradient over a batch of B with labels drawn from the model. */
  | {
      readonly kind: 'gauss-newton-bartlett'
      /** g^ at the values; the step, to draw labels that a resumed run draws again. */
      readonly sampledGradientAt: (values: Arrays, step: number) => Arrays
      readonly batchSize: number
    }

/** Options of {@link sophia}. */
export interface SophiaOptions {
  readonly estimate: SophiaEstimate
  /** Decay of the gradient's average, 0 <= beta1 < 1. Default 0.96. */
  readonly beta1?: Schedule
  /** Decay of the diagonal's average, 0 <= beta2 < 1. Default 0.99. */
  readonly beta2?: Schedule
  /** gamma > 0, factor of the diagonal. Default 0.01; 0.05 is usual for `gauss-newton-bartlett`. */
  readonly gamma?: Schedule
  /** Least denominator, > 0. Default 1e-12. */
  readonly epsilon?: Schedule
  /** Largest magnitude of an element of D, > 0. Default 1. */
  readonly clip?: Schedule
  /** Steps k between estimates, an integer >= 1. Default 10. */
  readonly every?: number
  /** Seed of the probes, an integer. Default 0. For `hutchinson`. */
  readonly seed?: number
}

/** State of {@link sophia}. */
export interface SophiaState {
  readonly space: GroupSpace
  readonly hutchinson: Hutchinson | undefined
  readonly average: GroupVector
  readonly diagonal: GroupVector
  readonly estimate: GroupVector
  readonly direction: GroupVector
  /** 1 once a parameter has an estimate. */
  readonly seen: Uint8Array
}

/**
 * Sophia, steps by the diagonal of the curvature, clipped element by element:
 *
 *     every k steps:   h <- beta2 h + (1 - beta2) h^      h^ an estimate of the diagonal
 *     m <- beta1 m + (1 - beta1) g
 *     D = clip(m / max(gamma h, epsilon), -clip, clip)
 *
 * Where the curvature is negative or flat D is the sign of m. The first step of a parameter estimates, too. The Hessian couples
 * all parameters of a group; those without a gradient stand still. State: 2 numbers an element. A step: 3 elementwise calls;
 * every k steps one callback.
 *
 * Source: Liu et al., arXiv 2305.14342, algorithms 1 to 3.
 */
export function sophia(options: SophiaOptions): Rule<SophiaState> {
  const owner = 'sophia'
  checkFields(owner, options, ['estimate', 'beta1', 'beta2', 'gamma', 'epsilon', 'clip', 'every', 'seed'])
  const estimate = checkedEstimate(owner, options.estimate)
  const beta1 = hyperparameter(owner, 'beta1', options.beta1 ?? 0.96, { min: 0, below: 1 })
  const beta2 = hyperparameter(owner, 'beta2', options.beta2 ?? 0.99, { min: 0, below: 1 })
  const gamma = hyperparameter(owner, 'gamma', options.gamma ?? 0.01, { above: 0 })
  const epsilon = hyperparameter(owner, 'epsilon', options.epsilon ?? 1e-12, { above: 0 })
  const clip = hyperparameter(owner, 'clip', options.clip ?? 1, { above: 0 })
  const every = numberIn(owner, 'every', options.every ?? 10, { min: 1, integer: true })
  const seed = numberIn(owner, 'seed', options.seed ?? 0, { integer: true })
  return {
    name: owner,
    needsValues: true,
    init: (parameters, device) => {
      const space = new GroupSpace(parameters, device)
      return {
        space,
        hutchinson: estimate.kind === 'hutchinson' ? new Hutchinson(space, seed) : undefined,
        average: space.vector(),
        diagonal: space.vector(),
        estimate: space.vector(),
        direction: space.vector(),
        seen: new Uint8Array(parameters.length),
      }
    },
    update: (gradients, state, context) => {
      const { space, average, diagonal, direction, seen } = state
      const { step, clock } = context
      const isDue = (step - 1) % every === 0 || gradients.some((gradient, index) => gradient !== null && !seen[index])
      if (isDue) clock.time('statistics', () => updateDiagonal(owner, state, estimate, beta2(step), gradients, context))
      clock.time('apply', () => {
        const present = gradients.flatMap((gradient, index) => (gradient === null ? [] : [{ gradient, index }]))
        updateAll(
          space.device,
          'momentum',
          present.map(({ gradient, index }) => {
            const decay = beta1(step)
            return { gradient, m: average.parts[index]!, mDecay: decay, mWeight: 1 - decay }
          }),
        )
        // max(h, 0): the quotient by 1 of h, within bounds.
        const positive = { fromGradient: 1, vScale: 0, epsilon: 1, lower: 0, upper: LARGEST }
        updateAll(
          space.device,
          'quotient',
          present.map(({ index }) => {
            const h = diagonal.parts[index]!
            return { ...positive, gradient: h, v: h, direction: direction.parts[index]! }
          }),
        )
        const clipped = {
          fromGradient: 1,
          vScale: gamma(step),
          epsilon: epsilon(step),
          lower: -clip(step),
          upper: clip(step),
        }
        updateAll(
          space.device,
          'quotient',
          present.map(({ index }) => {
            const into = direction.parts[index]!
            return { ...clipped, gradient: average.parts[index]!, v: into, direction: into }
          }),
        )
      })
      return space.directions(direction, gradients)
    },
    describe: ({ space, hutchinson }) =>
      groupPlan(owner, space, { flopsPerStep: 10 * space.size, bytes: hutchinson?.bytes ?? 0 }),
    slots: ({ space, average, diagonal, seen }) => [
      ...space.slots('average', average),
      ...space.slots('diagonal', diagonal),
      ...space.parameters.map(({ name }, index) => arraySlot(`${name}/seen`, seen, index, 1)),
    ],
    report: () => [],
    dispose: ({ space }) => space.dispose(),
  }
}

const LARGEST = 3e38

function checkedEstimate(owner: string, estimate: SophiaEstimate): SophiaEstimate {
  if (typeof estimate !== 'object' || estimate === null) {
    throw optionError(owner, 'estimate', estimate, `an object with kind 'hutchinson' or 'gauss-newton-bartlett'`)
  }
  oneOf(owner, 'estimate.kind', estimate.kind, ['hutchinson', 'gauss-newton-bartlett'])
  if (estimate.kind === 'hutchinson') {
    checkFields(`${owner}: estimate`, estimate, ['kind', 'hessianVector'])
    callback(owner, 'estimate.hessianVector', estimate.hessianVector)
    return estimate
  }
  checkFields(`${owner}: estimate`, estimate, ['kind', 'sampledGradientAt', 'batchSize'])
  callback(owner, 'estimate.sampledGradientAt', estimate.sampledGradientAt)
  numberIn(owner, 'estimate.batchSize', estimate.batchSize, { min: 1, integer: true })
  return estimate
}

/** h <- beta2 h + (1 - beta2) h^ */
function updateDiagonal(
  owner: string,
  state: SophiaState,
  estimate: SophiaEstimate,
  beta2: number,
  gradients: Gradients,
  context: RuleContext,
): void {
  const { space, hutchinson, diagonal, estimate: sample, seen } = state
  if (estimate.kind === 'hutchinson') {
    hutchinson!.sample(owner, estimate.hessianVector, gradients, context, sample)
  } else {
    const values = space.valuesOf(owner, context).map(onHost)
    const answer = answered(owner, 'sampledGradientAt', estimate.sampledGradientAt(values, context.step), values)
    const squares = answer.map((gradient, index) =>
      gradients[index]
        ? { gradient, m: gradient, fromGradient: estimate.batchSize, direction: sample.parts[index]! }
        : null,
    )
    updateAll(space.device, 'product', squares)
  }
  const entries = gradients.map((gradient, index) => {
    if (gradient === null) return null
    seen[index] = 1
    return { gradient: sample.parts[index]!, m: diagonal.parts[index]!, mDecay: beta2, mWeight: 1 - beta2 }
  })
  updateAll(space.device, 'momentum', entries)
}
