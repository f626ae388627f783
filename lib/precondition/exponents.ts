import { optionError } from '../schedule/validate.js'

/** A positive rational a / b in lowest terms. */
export type Rational = readonly [numerator: number, denominator: number]

/**
 * Exponents e of the factors, applied as A^{-e}: for tensors of an order (after merging), one number for all
 * dimensions or one per dimension; 0 leaves that dimension alone (no factor is kept for it).
 */
export type ExponentOverride = Readonly<Record<number, number | readonly number[]>>

/** Largest numerator and denominator that `inverseRoot` takes. */
const LARGEST_TERM = 64

/**
 * Exponent of every dimension of a block of the given order: 1 / (2 k), so that the k factors together take the
 * gradient to the power -1/2 (Gupta, Koren and Singer, arXiv 1802.09568, algorithm 2), unless overridden.
 *
 * @param sharers k, the order by default; 1 where one dimension alone has a factor.
 * @returns a rational per dimension, or undefined for a dimension that is left alone.
 */
export function exponentsOf(
  order: number,
  override: ExponentOverride = {},
  sharers = order,
): readonly (Rational | undefined)[] {
  const chosen = override[order]
  return Array.from({ length: order }, (_, dimension) => {
    const exponent = typeof chosen === 'number' ? chosen : chosen?.[dimension]
    if (exponent === undefined) return [1, 2 * sharers]
    return exponent === 0 ? undefined : rational(exponent)
  })
}

/** ERR_OPTION where an override is not made of exponents that the root kernels can take. */
export function checkExponents(owner: string, override: ExponentOverride): void {
  for (const [order, exponents] of Object.entries(override)) {
    const field = `exponentOverride[${order}]`
    if (!/^[1-9]\d*$/.test(order)) throw optionError(owner, field, exponents, 'keys that are tensor orders 1, 2, ...')
    const list = typeof exponents === 'number' ? [exponents] : exponents
    const isComplete = typeof exponents === 'number' || (Array.isArray(exponents) && exponents.length === Number(order))
    if (!isComplete || list.some((exponent) => exponent !== 0 && rational(exponent) === undefined)) {
      throw optionError(
        owner,
        field,
        exponents,
        `0 or a positive fraction with terms up to ${LARGEST_TERM}, or an array of ${order} of them`,
      )
    }
  }
}

/** a / b with the smallest b <= 64 within 1e-9 of the value, or undefined. */
function rational(value: unknown): Rational | undefined {
  if (typeof value !== 'number' || !(value > 0)) return undefined
  for (let denominator = 1; denominator <= LARGEST_TERM; denominator++) {
    const numerator = Math.round(value * denominator)
    if (numerator > LARGEST_TERM) return undefined
    if (numerator > 0 && Math.abs(numerator / denominator - value) <= 1e-9 * value) return [numerator, denominator]
  }
  return undefined
}
