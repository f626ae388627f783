import { checkFields } from '../../errors.js'
import { numberIn, oneOf, optionError } from '../../schedule/validate.js'

/** Options of a line search. */
export interface LineSearchOptions {
  /** `armijo` shortens the step until the loss falls enough; `wolfe` looks for a flat place, too. */
  readonly kind: 'armijo' | 'wolfe'
  /** c1 of the sufficient decrease, 0 < c1 < 1. Default 1e-4. */
  readonly decrease?: number
  /** c2 of the strong curvature condition, c1 < c2 < 1. Default 0.9. For `wolfe`. */
  readonly curvature?: number
  /** Factor of a step that was too long, 0 < shrink < 1. Default 0.5. For `armijo`. */
  readonly shrink?: number
  /** Trials before giving up, >= 1. Default 20. */
  readonly trials?: number
}

/** Loss and slope at a step length. */
export interface Trial {
  readonly loss: number
  /** Not a number where it is not known: where the loss is not finite, and where nobody asks. */
  readonly slope: number
}

/** Finds a step length, given phi(0) and phi'(0) < 0; undefined where none was found within the trials. */
export type LineSearch = (start: Trial, evaluate: (step: number) => Trial) => number | undefined

/**
 * Step lengths a, from a = 1 on, with phi(a) the loss at a:
 *
 *     sufficient decrease   phi(a) <= phi(0) + c1 a phi'(0)
 *     strong curvature      |phi'(a)| <= c2 |phi'(0)|           wolfe
 *
 * Source: Nocedal and Wright, Numerical Optimization, 2nd ed., algorithms 3.1 (armijo), 3.5 and 3.6 (wolfe), with cubic
 * interpolation (3.59): on a quadratic the second trial is its minimum, unless that is far away.
 */
export function lineSearch(owner: string, options: LineSearchOptions): LineSearch {
  checkFields(`${owner}: lineSearch`, options, ['kind', 'decrease', 'curvature', 'shrink', 'trials'])
  const kind = oneOf(owner, 'lineSearch.kind', options.kind, ['armijo', 'wolfe'])
  const c1 = numberIn(owner, 'lineSearch.decrease', options.decrease ?? 1e-4, { above: 0, below: 1 })
  const trials = numberIn(owner, 'lineSearch.trials', options.trials ?? 20, { min: 1, integer: true })
  if (kind === 'armijo') {
    if (options.curvature !== undefined) {
      throw optionError(owner, 'lineSearch.curvature', options.curvature, "left out, because kind is 'armijo'")
    }
    const shrink = numberIn(owner, 'lineSearch.shrink', options.shrink ?? 0.5, { above: 0, below: 1 })
    return (start, evaluate) => backtrack(start, evaluate, c1, shrink, trials)
  }
  if (options.shrink !== undefined) {
    throw optionError(owner, 'lineSearch.shrink', options.shrink, "left out, because kind is 'wolfe'")
  }
  const c2 = numberIn(owner, 'lineSearch.curvature', options.curvature ?? 0.9, { above: c1, below: 1 })
  return (start, evaluate) => strongWolfe(start, evaluate, c1, c2, trials)
}

function backtrack(start: Trial, evaluate: (step: number) => Trial, c1: number, shrink: number, trials: number) {
  let step = 1
  for (let trial = 0; trial < trials; trial++) {
    if (evaluate(step).loss <= start.loss + c1 * step * start.slope) return step
    step *= shrink
  }
  return undefined
}

interface Point extends Trial {
  readonly step: number
}

function strongWolfe(start: Trial, evaluate: (step: number) => Trial, c1: number, c2: number, trials: number) {
  const origin: Point = { step: 0, ...start }
  const isLow = ({ loss, step }: Point) => loss <= start.loss + c1 * step * start.slope
  const isFlat = ({ slope }: Point) => Math.abs(slope) <= -c2 * start.slope
  let low = origin
  let high: Point | undefined
  let step = 1
  for (let trial = 0; trial < trials; trial++) {
    const point: Point = { step, ...evaluate(step) }
    if (!isLow(point) || point.loss >= low.loss) {
      high = point
    } else {
      if (isFlat(point)) return step
      if (high === undefined ? point.slope >= 0 : point.slope * (high.step - low.step) >= 0) high = low
      low = point
    }
    step = high === undefined ? extrapolated(origin, low) : interpolated(low, high)
  }
  // Decrease alone, where rounding or a kink leaves no flat place.
  return low.step > 0 ? low.step : undefined
}

/** Beyond the last point: the minimum of the cubic, 1.1 to 10 times as far. */
function extrapolated(origin: Point, last: Point): number {
  const guess = cubicMinimum(origin, last)
  return Math.min(10 * last.step, Math.max(Number.isFinite(guess) ? guess : 2 * last.step, 1.1 * last.step))
}

/** Between two points: the minimum of the cubic, at least a hundredth of the interval away from its ends. */
function interpolated(low: Point, high: Point): number {
  const width = high.step - low.step
  const guess = (cubicMinimum(low, high) - low.step) / width
  const inside = Number.isFinite(guess) ? Math.min(0.99, Math.max(0.01, guess)) : 0.5
  return low.step + inside * width
}

/** Minimum of the cubic through values and slopes at two points; not a number where it has none. */
function cubicMinimum(a: Point, b: Point): number {
  const d1 = a.slope + b.slope - (3 * (a.loss - b.loss)) / (a.step - b.step)
  const d2 = Math.sign(b.step - a.step) * Math.sqrt(d1 * d1 - a.slope * b.slope)
  return b.step - ((b.step - a.step) * (b.slope + d2 - d1)) / (b.slope - a.slope + 2 * d2)
}
