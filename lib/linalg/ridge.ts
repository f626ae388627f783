import { KronrootError, shown } from '../errors.js'
import { checkedNumber } from './options.js'

/**
 * What is added to a symmetric matrix A before it is inverted: A + epsilon I.
 *
 * - `{ relative: r }`: epsilon = r lambda_max (at least; an upper bound of lambda_max, at most 5 % above, where no
 *   eigenvalues are computed)
 * - `{ absolute: e }`: epsilon = e
 * - `{ trace: t }`: epsilon = t trace(A) / n
 * - `{ pseudoInverse: r }`: epsilon = 0, and eigenvalues <= max(n ulp, r) lambda_max contribute nothing
 * - `'none'`: epsilon = 0
 *
 * All values are finite and >= 0.
 */
export type Ridge =
  | { readonly relative: number }
  | { readonly absolute: number }
  | { readonly trace: number }
  | { readonly pseudoInverse: number }
  | 'none'

// kr_ridge of native/include/kronroot/ops.h; its 0 is the default of the op.
const none = 1
const kinds: Readonly<Record<string, number>> = { absolute: 2, relative: 3, trace: 4, pseudoInverse: 5 }

/** [kr_ridge, value] for the native options. */
export function checkedRidge(op: string, ridge: unknown, pseudoInverseAllowed: boolean): readonly [number, number] {
  if (ridge === undefined) return [0, 0]
  if (ridge === 'none') return [none, 0]
  const allowed = Object.keys(kinds).filter((kind) => pseudoInverseAllowed || kind !== 'pseudoInverse')
  const fields = typeof ridge === 'object' && ridge !== null ? Object.keys(ridge) : []
  const [kind] = fields
  if (kind === undefined || fields.length !== 1 || !allowed.includes(kind)) {
    const forms = allowed.map((name) => `{ ${name}: number }`).join(', ')
    const got = fields.length > 0 ? `{ ${fields.join(', ')} }` : shown(ridge)
    throw new KronrootError('ERR_OPTION', `${op}: ridge must be one of ${forms}, 'none', got ${got}`)
  }
  const value = (ridge as Record<string, unknown>)[kind]
  return [kinds[kind]!, checkedNumber(op, `ridge.${kind}`, value, { min: 0 })]
}
