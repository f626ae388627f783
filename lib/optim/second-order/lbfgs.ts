import type { Device } from '../../device.js'
import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn } from '../../schedule/validate.js'
import { answered, answeredLoss, callback, type LossAndGradientAt } from '../oracle.js'
import type { Gradients, ParameterSpec, Rule, RuleContext } from '../rule.js'
import { groupPlan } from './group-plan.js'
import { GroupSpace, type GroupVector, hostParts } from './group-space.js'
import { type LineSearch, type LineSearchOptions, lineSearch } from './line-search.js'

/** Options of {@link lbfgs}. */
export interface LbfgsOptions {
  /** Pairs m that are remembered, >= 1. Default 10. */
  readonly history?: number
  /** A pair enters if s . y > minimumCurvature |s|^2, >= 0. Default 1e-8. */
  readonly minimumCurvature?: Schedule
  /** Powell's delta, 0 <= damping < 1: y is mixed until s . y >= delta s . B s. Default 0, no mixing; 0.2 for noisy gradients. */
  readonly damping?: Schedule
  /** Search along the direction, in multiples of lr; needs `lossAndGradientAt`. Default: none, the step is lr. */
  readonly lineSearch?: LineSearchOptions
  /** Loss and gradient of the current batch at other values. */
  readonly lossAndGradientAt?: LossAndGradientAt
}

/** A pair of the history. */
interface Pair {
  readonly s: GroupVector
  readonly y: GroupVector
}

/** State of {@link lbfgs}. */
export interface LbfgsState {
  readonly space: GroupSpace
  /** m + 1 of them, in a ring: one is free for the pair that is being made. */
  readonly pairs: readonly Pair[]
  /** s . y of each pair. */
  readonly curvature: Float64Array
  /** Values and gradient of the last step in which every parameter had one. */
  readonly last: { readonly values: GroupVector; readonly gradient: GroupVector }
  /** [pairs in use, where the next one goes, 1 once `last` is filled, gamma] */
  readonly shared: Float64Array
  readonly scratch: Record<'values' | 'gradient' | 'direction' | 'trial', GroupVector>
}

/**
 * Limited-memory BFGS: the inverse Hessian of the last m pairs s = w_t - w_{t-1}, y = g_t - g_{t-1}, newest first,
 *
 *     q <- g;       for each pair:               a_i = rho_i s_i . q,   q <- q - a_i y_i,    rho_i = 1 / (s_i . y_i)
 *     q <- gamma q, gamma = s . y / y . y of the newest pair
 *                   for each pair, oldest first: q <- q + (a_i - rho_i y_i . q) s_i
 *     D = q,        or alpha q with a line search from lr on;  D = min(1, 1 / |g|) g without a pair
 *
 * A pair enters if its curvature s . y is above `minimumCurvature` |s|^2 (Li and Fukushima's cautious update), after
 * Powell's damping, if asked for, with B = 1 / gamma: y <- theta y + (1 - theta) B s. Where a line search finds nothing, the
 * parameters stay and the history is forgotten. Weight decay other than `l2` is not seen by the search.
 *
 * Couples all parameters of a group. A step in which one of them has no gradient leaves the history alone and takes the
 * principal submatrix of the others. State: 2 m + 4 numbers an element. A step: 4 m elementwise calls and reductions.
 *
 * Source: Nocedal, Math. Comp. 35 (1980); Nocedal and Wright, Numerical Optimization, 2nd ed., algorithms 7.4 and 18.2.
 */
export function lbfgs(options: LbfgsOptions = {}): Rule<LbfgsState> {
  const owner = 'lbfgs'
  checkFields(owner, options, ['history', 'minimumCurvature', 'damping', 'lineSearch', 'lossAndGradientAt'])
  const history = numberIn(owner, 'history', options.history ?? 10, { min: 1, integer: true })
  const minimum = hyperparameter(owner, 'minimumCurvature', options.minimumCurvature ?? 1e-8, { min: 0 })
  const damping = hyperparameter(owner, 'damping', options.damping ?? 0, { min: 0, below: 1 })
  const search = options.lineSearch === undefined ? undefined : lineSearch(owner, options.lineSearch)
  const evaluate = callback(owner, 'lossAndGradientAt', options.lossAndGradientAt, search === undefined)
  return {
    name: owner,
    needsValues: true,
    init: (parameters, device) => createState(parameters, device, history),
    update: (gradients, state, context) => {
      const { space, shared, scratch } = state
      const { clock } = context
      const isComplete = gradients.every((gradient) => gradient !== null)
      const next = clock.time('statistics', () => {
        space.gather(gradients, scratch.gradient)
        space.gather(space.valuesOf(owner, context), scratch.values)
        if (!isComplete || shared[2] === 0) return { count: shared[0]!, head: shared[1]!, gamma: shared[3]! }
        return newPair(state, minimum(context.step), damping(context.step))
      })
      const factor = clock.time('apply', () => {
        twoLoops(state, next)
        if (search === undefined || evaluate === undefined || context.lr === 0) return 1
        return searched(state, search, evaluate, gradients, context)
      })
      if (factor !== 1) space.scale(factor, scratch.direction, scratch.direction)
      if (isComplete) remember(state, factor === 0 ? { ...next, count: 0 } : next)
      return space.directions(scratch.direction, gradients)
    },
    describe: ({ space }) => groupPlan(owner, space, { flopsPerStep: (8 * history + 12) * space.size }),
    slots: ({ space, pairs, curvature, last, shared }) => [
      ...pairs.flatMap(({ s, y }, index) => [...space.slots(`s${index}`, s), ...space.slots(`y${index}`, y)]),
      ...space.slots('lastValues', last.values),
      ...space.slots('lastGradient', last.gradient),
      ...space.shared('curvature', curvature),
      ...space.shared('history', shared),
    ],
    report: () => [],
    dispose: ({ space }) => space.dispose(),
  }
}

function createState(parameters: readonly ParameterSpec[], device: Device, history: number): LbfgsState {
  const space = new GroupSpace(parameters, device)
  const vector = () => space.vector()
  return {
    space,
    pairs: Array.from({ length: history + 1 }, () => ({ s: vector(), y: vector() })),
    curvature: new Float64Array(history + 1),
    last: { values: vector(), gradient: vector() },
    shared: new Float64Array([0, 0, 0, 1]),
    scratch: { values: vector(), gradient: vector(), direction: vector(), trial: vector() },
  }
}

/** How much of the ring is used, and gamma. */
interface History {
  readonly count: number
  readonly head: number
  readonly gamma: number
}

/** Puts s and y into the free place of the ring, and says what the history is with them. */
function newPair(
  { space, pairs, curvature, last, shared, scratch }: LbfgsState,
  minimum: number,
  delta: number,
): History {
  const [count, head, , gamma] = shared as unknown as [number, number, number, number]
  const { s, y } = pairs[head]!
  space.combine(1, scratch.values, -1, last.values, s)
  space.combine(1, scratch.gradient, -1, last.gradient, y)
  let [ss, sy, yy] = space.dots([
    [s, s],
    [s, y],
    [y, y],
  ]) as [number, number, number]
  const sBs = ss / gamma
  if (sy < delta * sBs) {
    const theta = ((1 - delta) * sBs) / (sBs - sy)
    space.combine(theta, y, (1 - theta) / gamma, s, y)
    ;[sy, yy] = space.dots([
      [s, y],
      [y, y],
    ]) as [number, number]
  }
  if (!(sy > minimum * ss)) return { count, head, gamma }
  curvature[head] = sy
  return { count: Math.min(count + 1, pairs.length - 1), head: (head + 1) % pairs.length, gamma: sy / yy }
}

/** Makes the history that of the state, and this step the last one. */
function remember({ space, last, shared, scratch }: LbfgsState, { count, head, gamma }: History): void {
  shared.set([count, head, 1, count === 0 ? 1 : gamma])
  space.scale(1, scratch.values, last.values)
  space.scale(1, scratch.gradient, last.gradient)
}

function twoLoops({ space, pairs, curvature, scratch }: LbfgsState, { count, head, gamma }: History): void {
  const { direction, gradient } = scratch
  if (count === 0) {
    space.scale(Math.min(1, 1 / Math.sqrt(space.dot(gradient, gradient))), gradient, direction)
    return
  }
  const newestFirst = Array.from({ length: count }, (_, age) => (head - 1 - age + pairs.length) % pairs.length)
  space.scale(1, gradient, direction)
  const weights = newestFirst.map((index) => {
    const { s, y } = pairs[index]!
    const weight = space.dot(s, direction) / curvature[index]!
    space.combine(1, direction, -weight, y, direction)
    return weight
  })
  space.scale(gamma, direction, direction)
  for (let age = count - 1; age >= 0; age--) {
    const { s, y } = pairs[newestFirst[age]!]!
    const weight = weights[age]! - space.dot(y, direction) / curvature[newestFirst[age]!]!
    space.combine(1, direction, weight, s, direction)
  }
}

/** The factor of the direction that the line search finds; 0 where it finds none. */
function searched(
  { space, scratch }: LbfgsState,
  search: LineSearch,
  lossAndGradientAt: LossAndGradientAt,
  gradients: Gradients,
  { lr }: RuleContext,
): number {
  const { values, gradient, direction, trial } = scratch
  // Parameters without a gradient stay where they are.
  space.gather(space.directions(direction, gradients), direction)
  const ask = () => {
    const { loss, gradient: answer } = lossAndGradientAt(hostParts(trial))
    return { loss: answeredLoss('lbfgs', 'lossAndGradientAt', loss, true), answer }
  }
  space.scale(1, values, trial)
  const start = {
    loss: answeredLoss('lbfgs', 'lossAndGradientAt', ask().loss),
    slope: -lr * space.dot(gradient, direction),
  }
  if (!(start.slope < 0)) return 0
  const found = search(start, (step) => {
    space.combine(1, values, -lr * step, direction, trial)
    const { loss, answer } = ask()
    if (!Number.isFinite(loss)) return { loss: Number.POSITIVE_INFINITY, slope: Number.NaN }
    space.gather(answered('lbfgs', 'lossAndGradientAt', answer, hostParts(trial)), trial)
    return { loss, slope: -lr * space.dot(trial, direction) }
  })
  return found ?? 0
}
