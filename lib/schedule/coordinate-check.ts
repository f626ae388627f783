import { KronrootError } from '../errors.js'
import { numberIn, optionError } from './validate.js'

/** Sizes of activations, or of their changes, by name: one a step. */
export type Coordinates = Readonly<Record<string, readonly number[]>>

/** How the size of an activation grows with width: as width^slope. */
export interface CoordinateSlope {
  readonly name: string
  /** Counted from 1. */
  readonly step: number
  /** Exponent, fitted over all widths. */
  readonly slope: number
  /** Sizes, in the order of the widths. */
  readonly sizes: readonly number[]
}

/**
 * Coordinate check of a parametrization: trains the network at several widths for a few steps and fits how its activations
 * grow with width,
 *
 *     log size = slope log width + constant       least squares, for every activation and step
 *
 * Under muP no slope is far above 0 (and those of changes in hidden layers and outputs are near 0, not below); under the
 * standard parametrization slopes of 1/2 or 1 show which learning rates do not carry over. A size is best the root mean
 * square of the change since the start (`rootMeanSquare`), averaged over a few seeds.
 *
 * @param widths two or more, ascending
 * @param train sizes after every step, at a width; with the same names and numbers of steps at all of them
 *
 * Source: Yang et al., Tensor Programs V, arXiv 2203.03466, appendix D.1.
 */
export function coordinateCheck(
  widths: readonly number[],
  train: (width: number) => Coordinates,
): readonly CoordinateSlope[] {
  const owner = 'coordinateCheck'
  const isAscending = Array.isArray(widths) && widths.every((width, index) => index === 0 || width > widths[index - 1]!)
  if (!isAscending || widths.length < 2) throw optionError(owner, 'widths', widths, 'two or more widths, ascending')
  for (const [index, width] of widths.entries()) numberIn(owner, `widths[${index}]`, width, { above: 0 })
  const results = widths.map(train)
  const names = Object.keys(results[0]!)
  return names.flatMap((name) =>
    results[0]![name]!.map((_, index) => {
      const sizes = results.map((result, at) => sizeOf(owner, result, name, index, widths[at]!))
      return { name, step: index + 1, slope: slopeOf(widths, sizes), sizes }
    }),
  )
}

function sizeOf(owner: string, result: Coordinates, name: string, index: number, width: number): number {
  const size = result[name]?.[index]
  if (size !== undefined && Number.isFinite(size) && size > 0) return size
  throw new KronrootError(
    'ERR_OPTION',
    `${owner}: at width ${width} the size of ${name} in step ${index + 1} must be a finite number > 0, got ${size}`,
  )
}

function slopeOf(widths: readonly number[], sizes: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [x, y] = [widths.map(Math.log), sizes.map(Math.log)]
  const [meanX, meanY] = [mean(x), mean(y)]
  const covariance = mean(x.map((value, i) => (value - meanX) * (y[i]! - meanY)))
  return covariance / mean(x.map((value) => (value - meanX) ** 2))
}

/** sqrt(mean of squares); with `before`, of the differences from it. */
export function rootMeanSquare(values: ArrayLike<number>, before?: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += (values[i]! - (before?.[i] ?? 0)) ** 2
  return values.length === 0 ? 0 : Math.sqrt(sum / values.length)
}
