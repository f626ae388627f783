import { checkFields } from '../errors.js'
import { numberIn, oneOf } from '../schedule/validate.js'

/** What a dimension of a block keeps: a full factor, the diagonal of one, or nothing. */
export type FactorKind = 'full' | 'diagonal' | 'none'

/** Which dimensions of a block get a full factor, and what the others get. */
export interface SidesOptions {
  /** Largest dimension with a full factor, an integer >= 1. Default: none, blocks are small enough. */
  readonly largest?: number
  /** A dimension d gets a full factor only where d^2 <= skew times the elements of the block, > 0. Default: no limit. */
  readonly skew?: number
  /**
   * What dimensions without a full factor get. Default `diagonal`, the diagonal of the factor, for blocks of one or two
   * dimensions; blocks of more keep nothing there. `none` keeps nothing (the identity).
   */
  readonly otherwise?: 'diagonal' | 'none'
  /** `smallest`: a factor for the smallest dimension alone (the first of equals), one-sided. Default `all`. */
  readonly which?: 'all' | 'smallest'
}

/** Kind of the factor of every dimension of a block. */
export type Sides = (shape: readonly number[]) => readonly FactorKind[]

/** Checked rule for the sides of blocks. */
export function sidesOf(owner: string, options: SidesOptions = {}): Sides {
  checkFields(`${owner}: sides`, options, ['largest', 'skew', 'otherwise', 'which'])
  const { largest, skew } = options
  if (largest !== undefined) numberIn(owner, 'sides.largest', largest, { min: 1, integer: true })
  if (skew !== undefined) numberIn(owner, 'sides.skew', skew, { above: 0 })
  const otherwise = oneOf(owner, 'sides.otherwise', options.otherwise ?? 'diagonal', ['diagonal', 'none'])
  const which = oneOf(owner, 'sides.which', options.which ?? 'all', ['all', 'smallest'])
  return (shape) => {
    const size = shape.reduce((product, dimension) => product * dimension, 1)
    const smallest = shape.indexOf(Math.min(...shape))
    return shape.map((dimension, index) => {
      if (which === 'smallest' && index !== smallest) return 'none'
      const isFull = dimension <= (largest ?? dimension) && dimension ** 2 <= (skew ?? Infinity) * size
      if (isFull) return 'full'
      return shape.length <= 2 ? otherwise : 'none'
    })
  }
}

/** How many dimensions the exponent is shared among: one-sided factors carry it alone. */
export function sharers(shape: readonly number[], options: SidesOptions = {}): number {
  return options.which === 'smallest' ? 1 : shape.length
}
