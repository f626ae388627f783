// What the ops over lists of arrays take.
import { KronrootError, shown } from '../errors.js'
import type { NativeArgument } from '../native/addon.js'
import { Tensor } from '../tensor.js'

/** A tensor of any shape, or a typed array, which is borrowed for the call. */
export type ArrayOperand = Tensor | Float32Array | Float64Array

/** What the native module takes for it, a tensor by its number; what is no array is refused there, other numbers too. */
export function nativeArray(array: ArrayOperand | null | undefined): NativeArgument {
  if (array === null || array === undefined) return null
  if (Tensor.isTensor(array)) return Tensor.handleOf(array)
  return typeof array === 'object' ? array : Number.NaN
}

export function checkedList(op: string, arrays: unknown): void {
  if (Array.isArray(arrays)) return
  throw new KronrootError('ERR_ARGUMENT', `${op}: arrays must be a list, got ${shown(arrays)}`)
}

/** The native code of the dtype of the first array, which all others must have. Of an empty list f32. */
export function checkedArrayDType(op: string, field: string, first: unknown): number {
  if (first === undefined || first instanceof Float32Array) return 0
  if (first instanceof Float64Array) return 1
  if (Tensor.isTensor(first)) return first.dtype === 'f32' ? 0 : 1
  throw new KronrootError(
    'ERR_ARGUMENT',
    `${op}: arrays[0].${field} must be a Tensor, a Float32Array or a Float64Array, got ${shown(first)}`,
  )
}
