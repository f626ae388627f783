import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import { callback, type HessianVector } from '../oracle.js'
import type { Gradients, Rule } from '../rule.js'
import { arraySlot } from '../slots.js'
import { groupPlan } from './group-plan.js'
import { GroupSpace, type GroupVector } from './group-space.js'
import { Hutchinson } from './hutchinson.js'

/** Options of {@link oasis}. */
export interface OasisOptions {
  /** The Hessian times vectors. */
  readonly hessianVector: HessianVector
  /** Decay of the diagonal's average, 0 <= beta2 < 1. Default 0.99. */
  readonly beta2?: Schedule
  /** alpha > 0, the least magnitude of the diagonal. Default 1e-3. */
  readonly least?: Schedule
  /** eta_0 > 0, the first adaptive rate. Default 0.1. */
  readonly firstRate?: number
  /** Seed of the probes, an integer. Default 0. */
  readonly seed?: number
}

/** State of {@link oasis}. */
export interface OasisState {
  readonly space: GroupSpace
  readonly hutchinson: Hutchinson
  readonly diagonal: GroupVector
  /** 1 once a parameter has an estimate. */
  readonly seen: Uint8Array
  readonly last: { readonly values: GroupVector; readonly gradient: GroupVector }
  /** [eta, theta (0: not known), 1 once `last` is filled] */
  readonly shared: Float64Array
  readonly scratch: Readonly<
    Record<'sample' | 'gradient' | 'values' | 'bounded' | 'first' | 'second' | 'direction', GroupVector>
  >
}

/**
 * OASIS, steps by Hutchinson's diagonal with a rate that sets itself:
 *
 *     d <- beta2 d + (1 - beta2) z o (H z),   d = z o (H z) at first;     B = diag(max(|d|, alpha))
 *     eta_t = min(sqrt(1 + theta) eta_{t-1}, |w_t - w_{t-1}|_B / (2 |g_t - g_{t-1}|_{B^{-1}})),    theta = eta_t / eta_{t-1}
 *     D = eta_t B^{-1} g
 *
 * |x|_B^2 = x^T B x. lr multiplies D: 1 is the method. eta is that of the step before where w or g did not change; the first
 * step takes `firstRate`, the second only the second bound.
 *
 * Couples all parameters of a group. A step in which one of them has no gradient leaves eta alone. State: 3 numbers an element.
 * A step: one Hessian-vector product, elementwise calls, two dot products.
 *
 * Source: Jahani et al., Doubly adaptive scaled algorithm, arXiv 2109.05198, algorithm 1.
 */
export function oasis(options: OasisOptions): Rule<OasisState> {
  const owner = 'oasis'
  checkFields(owner, options, ['hessianVector', 'beta2', 'least', 'firstRate', 'seed'])
  const hessianVector = callback(owner, 'hessianVector', options.hessianVector)
  const beta2 = hyperparameter(owner, 'beta2', options.beta2 ?? 0.99, { min: 0, below: 1 })
  const least = hyperparameter(owner, 'least', options.least ?? 1e-3, { above: 0 })
  const firstRate = numberIn(owner, 'firstRate', options.firstRate ?? 0.1, { above: 0 })
  const seed = numberIn(owner, 'seed', options.seed ?? 0, { integer: true })
  return {
    name: owner,
    needsValues: true,
    init: (parameters, device) => {
      const space = new GroupSpace(parameters, device)
      const vector = () => space.vector()
      return {
        space,
        hutchinson: new Hutchinson(space, seed),
        diagonal: vector(),
        seen: new Uint8Array(parameters.length),
        last: { values: vector(), gradient: vector() },
        shared: new Float64Array([firstRate, 0, 0]),
        scratch: {
          sample: vector(),
          gradient: vector(),
          values: vector(),
          bounded: vector(),
          first: vector(),
          second: vector(),
          direction: vector(),
        },
      }
    },
    update: (gradients, state, context) => {
      const { space, scratch } = state
      const { step, clock } = context
      clock.time('statistics', () => {
        state.hutchinson.sample(owner, hessianVector, gradients, context, scratch.sample)
        space.gather(gradients, scratch.gradient)
        space.gather(space.valuesOf(owner, context), scratch.values)
        updateDiagonal(state, gradients, beta2(step), least(step))
        if (gradients.every((gradient) => gradient !== null)) adaptRate(state)
      })
      clock.time('apply', () => {
        divide(space, scratch.gradient, scratch.bounded, scratch.direction)
        space.scale(state.shared[0]!, scratch.direction, scratch.direction)
      })
      return space.directions(scratch.direction, gradients)
    },
    describe: ({ space, hutchinson }) =>
      groupPlan(owner, space, { flopsPerStep: 24 * space.size, bytes: hutchinson.bytes }),
    slots: ({ space, diagonal, seen, last, shared }) => [
      ...space.slots('diagonal', diagonal),
      ...space.parameters.map(({ name }, index) => arraySlot(`${name}/seen`, seen, index, 1)),
      ...space.slots('lastValues', last.values),
      ...space.slots('lastGradient', last.gradient),
      ...space.shared('rate', shared),
    ],
    report: () => [],
    dispose: ({ space }) => space.dispose(),
  }
}

const LARGEST = 3e38

/** d <- beta2 d + (1 - beta2) sample, bounded <- max(|d|, alpha) */
function updateDiagonal(
  { space, diagonal, seen, scratch }: OasisState,
  gradients: Gradients,
  beta2: number,
  least: number,
) {
  const { sample, bounded } = scratch
  const entries = gradients.map((gradient, index) => {
    if (gradient === null) return null
    const decay = seen[index] ? beta2 : 0
    seen[index] = 1
    return { gradient: sample.parts[index]!, m: diagonal.parts[index]!, mDecay: decay, mWeight: 1 - decay }
  })
  updateAll(space.device, 'momentum', entries)
  if (space.size === 0) return
  const [whole, into] = [diagonal.whole, bounded.whole]
  updateAll(space.device, 'max', [{ gradient: whole, v: into, vDecay: 0, vWeight: 1 }])
  // The quotient by 1, within bounds.
  const bounds = { fromGradient: 1, vScale: 0, epsilon: 1, lower: least, upper: LARGEST }
  updateAll(space.device, 'quotient', [{ ...bounds, gradient: into, v: whole, direction: into }])
}

/** into <- x / y for y > 0 */
function divide(space: GroupSpace, x: GroupVector, y: GroupVector, into: GroupVector): void {
  if (space.size === 0) return
  const entry = { gradient: x.whole, v: y.whole, fromGradient: 1, vScale: 1, direction: into.whole }
  updateAll(space.device, 'quotient', [entry])
}

/** eta and theta; then this step is the last one. */
function adaptRate({ space, last, shared, scratch }: OasisState): void {
  const { gradient, values, bounded, first, second, direction } = scratch
  if (shared[2] === 1) {
    space.combine(1, values, -1, last.values, first)
    space.combine(1, gradient, -1, last.gradient, second)
    updateAll(space.device, 'product', [
      { gradient: first.whole, m: bounded.whole, fromGradient: 1, direction: direction.whole },
    ])
    const moved = space.dot(first, direction)
    divide(space, second, bounded, direction)
    const turned = space.dot(second, direction)
    if (moved > 0 && turned > 0) {
      const before = shared[0]!
      const growth = shared[1] === 0 ? Number.POSITIVE_INFINITY : Math.sqrt(1 + shared[1]!) * before
      shared[0] = Math.min(growth, 0.5 * Math.sqrt(moved / turned))
      shared[1] = shared[0] / before
    }
  }
  shared[2] = 1
  space.scale(1, values, last.values)
  space.scale(1, gradient, last.gradient)
}
