/**
 * Stable codes of {@link KronrootError}.
 *
 * | code | meaning |
 * |---|---|
 * | `ERR_ARGUMENT` | an argument of the wrong class (not a Tensor, not a Device), or tensors of different devices |
 * | `ERR_SHAPE` | a shape that is malformed, too large, or does not fit the other operands |
 * | `ERR_DTYPE` | an element type that does not fit the other operands or the tensor |
 * | `ERR_OPTION` | an unknown option, or a value outside what is allowed |
 * | `ERR_ALIAS` | `out` is also an input where that is not allowed, or is in use by an asynchronous call |
 * | `ERR_BUFFER` | a typed array of the wrong length, or over a resizable or detached buffer |
 * | `ERR_DISPOSED` | a tensor or device used after `dispose()` |
 * | `ERR_OUT_OF_MEMORY` | the device or the host could not give the memory |
 * | `ERR_NOT_CONVERGED` | a matrix of the batch failed and `onFailure` is `'throw'` |
 * | `ERR_NON_FINITE` | a gradient with a NaN or an infinity, where the optimizer was told to throw |
 * | `ERR_NO_DEVICE` | the device asked for is not there |
 * | `ERR_DEVICE_LOST` | the device stopped answering; all its tensors are lost |
 * | `ERR_NOT_COMPILED` | the backend does not have this op |
 * | `ERR_STATE` | a state dictionary that does not fit the optimizer it is loaded into |
 * | `ERR_ADDON_MISSING` | the native addon was not built or cannot be loaded |
 * | `ERR_INTERNAL` | a defect of kronroot; please report it |
 */
export type ErrorCode =
  | 'ERR_ARGUMENT'
  | 'ERR_SHAPE'
  | 'ERR_DTYPE'
  | 'ERR_OPTION'
  | 'ERR_ALIAS'
  | 'ERR_BUFFER'
  | 'ERR_DISPOSED'
  | 'ERR_OUT_OF_MEMORY'
  | 'ERR_NOT_CONVERGED'
  | 'ERR_NON_FINITE'
  | 'ERR_NO_DEVICE'
  | 'ERR_DEVICE_LOST'
  | 'ERR_NOT_COMPILED'
  | 'ERR_STATE'
  | 'ERR_ADDON_MISSING'
  | 'ERR_INTERNAL'

/** Every error that kronroot raises. Branch on `code`; the message is for people and may change. */
export class KronrootError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

// On the prototype, as for the built-in errors, so that instances carry no `name` of their own.
Object.defineProperty(KronrootError.prototype, 'name', { value: 'KronrootError', writable: true, configurable: true })

/** A value in an error message: short, and never a dump of data. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 40 ? `${value.slice(0, 40)}...` : value}'`
  if (Array.isArray(value)) {
    return `[${value.slice(0, 8).map(shown).join(', ')}${value.length > 8 ? `, ... ${value.length} in all` : ''}]`
  }
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'symbol') return value.toString()
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'object' && value !== null) {
    const name = (Object.getPrototypeOf(value) as { constructor?: { name?: unknown } } | null)?.constructor?.name
    return typeof name === 'string' && name !== 'Object' ? `a ${name}` : 'an object'
  }
  return String(value)
}

/** An object whose fields are all among `allowed`; else ERR_OPTION. */
export function checkFields(where: string, options: unknown, allowed: readonly string[]): asserts options is object {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new KronrootError('ERR_OPTION', `${where}: options must be an object, got ${shown(options)}`)
  }
  for (const field in options) {
    if (!allowed.includes(field)) {
      throw new KronrootError('ERR_OPTION', `${where}: there is no option '${field}'; there are ${allowed.join(', ')}`)
    }
  }
}
