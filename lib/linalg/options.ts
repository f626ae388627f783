// Options of the ops: checked one by one, with messages that name the op, the field, what is allowed and the value.
import { KronrootError, shown } from '../errors.js'

function refuse(op: string, field: string, allowed: string, value: unknown): never {
  throw new KronrootError('ERR_OPTION', `${op}: ${field} must be ${allowed}, got ${shown(value)}`)
}

/** false where it is absent. */
export function checkedFlag(op: string, field: string, value: unknown): boolean {
  if (value === undefined) return false
  return typeof value === 'boolean' ? value : refuse(op, field, 'true or false', value)
}

/** A finite number; the bounds are inclusive unless `above` (exclusive). */
export function checkedNumber(
  op: string,
  field: string,
  value: unknown,
  bounds: { readonly min?: number; readonly above?: number; readonly below?: number; readonly nonzero?: boolean } = {},
): number {
  const { min, above, below, nonzero } = bounds
  if (
    typeof value === 'number' &&
    Number.isFinite(value) &&
    !(min !== undefined && value < min) &&
    !(above !== undefined && value <= above) &&
    !(below !== undefined && value >= below) &&
    !(nonzero && value === 0)
  ) {
    return value
  }
  const limits = [
    min === undefined ? '' : `>= ${min}`,
    above === undefined ? '' : `> ${above}`,
    below === undefined ? '' : `< ${below}`,
    nonzero ? 'other than 0' : '',
  ].filter(Boolean)
  return refuse(op, field, ['a finite number', limits.join(' and ')].filter(Boolean).join(' '), value)
}

export function checkedInteger(op: string, field: string, value: unknown, low: number, high: number): number {
  if (Number.isInteger(value) && (value as number) >= low && (value as number) <= high) return value as number
  return refuse(op, field, `an integer from ${low} to ${high}`, value)
}

/** The code of one of the names of `codes`. */
export function checkedChoice(
  op: string,
  field: string,
  value: unknown,
  codes: Readonly<Record<string, number>>,
): number {
  if (typeof value === 'string' && Object.hasOwn(codes, value)) return codes[value]!
  return refuse(op, field, `one of ${Object.keys(codes).map(shown).join(', ')}`, value)
}

/** What the output of a failed matrix holds. */
export type OnFailure =
  /** NaN in every element; the default of a fresh output. */
  | 'nan'
  /** What `out` held before; the default with `out`. */
  | 'keep'
  /** The call raises {@link SolveError}; `out` is left as under 'keep'. */
  | 'throw'

/** `onFailure` with its default; 'keep' needs an `out` that has something to keep. */
export function checkedOnFailure(op: string, value: unknown, hasOut: boolean): OnFailure {
  if (value === undefined) return hasOut ? 'keep' : 'nan'
  if (value === 'nan' || value === 'throw') return value
  if (value !== 'keep') return refuse(op, 'onFailure', "one of 'nan', 'keep', 'throw'", value)
  if (!hasOut)
    throw new KronrootError('ERR_OPTION', `${op}: onFailure 'keep' needs out, a fresh output has nothing to keep`)
  return value
}

/** alpha and beta of `C = beta C + alpha ...`; a beta other than 0 reads C, so it needs `out`. */
export function checkedScales(op: string, alpha: unknown, beta: unknown, hasOut: boolean): readonly [number, number] {
  const checkedBeta = beta === undefined ? 0 : checkedNumber(op, 'beta', beta)
  if (checkedBeta !== 0 && !hasOut) throw new KronrootError('ERR_OPTION', `${op}: beta other than 0 needs out`)
  // The zero value of the C structs stands for the default, 1.
  return [alpha === undefined ? 1 : checkedNumber(op, 'alpha', alpha, { nonzero: true }), checkedBeta]
}
