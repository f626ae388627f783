/** A mean and how far the 95 % interval of it reaches to either side; null for a single value. */
export interface Interval {
  readonly mean: number
  readonly half: number | null
  readonly count: number
}

/** Quantiles 0.975 of Student's t distribution with 1, 2, ... degrees of freedom. */
const quantiles = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262] as const

/**
 * The 95 % confidence interval of the mean of `values`, taken for independent and normal:
 *
 *     mean +- t(0.975, n - 1) s / sqrt(n)      s^2 = sum (value - mean)^2 / (n - 1)
 *
 * Null for no values, or for one that is missing: a mean over those that were lucky would say nothing. At most 10 values.
 */
export function interval(values: readonly (number | null)[]): Interval | null {
  const count = values.length
  if (count === 0 || values.includes(null)) return null
  if (count > quantiles.length + 1) throw new RangeError(`at most ${quantiles.length + 1} values, got ${count}`)
  const numbers = values as readonly number[]
  const mean = numbers.reduce((sum, value) => sum + value, 0) / count
  if (count === 1) return { mean, half: null, count }
  const variance = numbers.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1)
  return { mean, half: quantiles[count - 2]! * Math.sqrt(variance / count), count }
}

/** "3.20 +- 0.15"; `digits` after the point. */
export function formatInterval({ mean, half }: Interval, digits: number): string {
  return half === null ? mean.toFixed(digits) : `${mean.toFixed(digits)} +- ${half.toFixed(digits)}`
}
