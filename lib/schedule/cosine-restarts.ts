import { checkFields } from '../errors.js'
import { numberIn } from './validate.js'

/** Options of {@link cosineRestarts}. */
export interface CosineRestartsOptions {
  /** Value at the first step of the first period. */
  readonly peak: number
  /** Steps of the first period, an integer >= 1. */
  readonly period: number
  /** Factor T_mult >= 1 of the length from one period to the next; lengths are rounded. Default 1. */
  readonly growth?: number
  /** Factor of the peak from one period to the next, > 0. Default 1. */
  readonly damping?: number
  /** Value that each period falls towards. Default 0. */
  readonly floor?: number
}

/**
 * SGDR: half a cosine again and again. In period i of T_i steps, at its step n = 0, 1, ..., T_i - 1,
 *
 *     s = floor + (peak_i - floor) (1 + cos(pi n / T_i)) / 2,   T_i = round(period growth^i),   peak_i = peak damping^i
 *
 * Source: Loshchilov and Hutter, SGDR, arXiv 1608.03983, equation 5.
 */
export function cosineRestarts(options: CosineRestartsOptions): (step: number) => number {
  const owner = 'cosineRestarts'
  checkFields(owner, options, ['peak', 'period', 'growth', 'damping', 'floor'])
  const peak = numberIn(owner, 'peak', options.peak, {})
  const period = numberIn(owner, 'period', options.period, { min: 1, integer: true })
  const growth = numberIn(owner, 'growth', options.growth ?? 1, { min: 1 })
  const damping = numberIn(owner, 'damping', options.damping ?? 1, { above: 0 })
  const floor = numberIn(owner, 'floor', options.floor ?? 0, {})
  return (step) => {
    const { index, position, length } =
      growth === 1 ? evenPeriod(step - 1, period) : findPeriod(step - 1, period, growth)
    return floor + (peak * damping ** index - floor) * 0.5 * (1 + Math.cos((Math.PI * position) / length))
  }
}

interface Position {
  readonly index: number
  /** Steps since the period began. */
  readonly position: number
  readonly length: number
}

function evenPeriod(passed: number, length: number): Position {
  const index = Math.floor(passed / length)
  return { index, position: passed - index * length, length }
}

function findPeriod(passed: number, period: number, growth: number): Position {
  let position = passed
  let index = 0
  let length = period
  while (position >= length) {
    position -= length
    index++
    length = Math.round(period * growth ** index)
  }
  return { index, position, length }
}
