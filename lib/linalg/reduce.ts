import type { Device } from '../device.js'
import { checkFields, KronrootError, shown } from '../errors.js'
import { addon, translated } from '../native/addon.js'
import { type ArrayOperand, checkedArrayDType, checkedList, nativeArray } from './arrays.js'

/** `dot`: sum of x_i y_i; `largest`: max |x_i|. */
export type Reduction = 'dot' | 'largest'

/** What is reduced to one number. */
export interface ReduceArray {
  readonly x: ArrayOperand
  /** For `dot`; left out: x itself, which makes the square of its norm. */
  readonly y?: ArrayOperand | undefined
}

const kinds: readonly Reduction[] = ['dot', 'largest']

/**
 * One number in f64 for each of many arrays, in one call. Arrays are tensors of the device, or Float32Arrays or
 * Float64Arrays (all of one type), which are read where they lie.
 *
 * `dot` errs by at most (elements 2^-52) sum |x_i y_i|; its order of summation depends on the length alone. The dot of an f32
 * array with itself is finite exactly if the array is. `largest` is exact: 0 without elements, NaN where one is NaN.
 *
 * @throws KronrootError ERR_ARGUMENT, ERR_OPTION, ERR_SHAPE, ERR_DTYPE, ERR_BUFFER, ERR_ALIAS, ERR_DISPOSED, ERR_OUT_OF_MEMORY
 */
export function reduce(device: Device, kind: Reduction, arrays: readonly ReduceArray[]): Float64Array<ArrayBuffer> {
  const number = kinds.indexOf(kind)
  if (number < 0) {
    throw new KronrootError('ERR_OPTION', `reduce: kind must be 'dot' or 'largest', got ${shown(kind)}`)
  }
  checkedList('reduce', arrays)
  const list = arrays.flatMap((array, entry) => {
    checkFields(`reduce: arrays[${entry}]`, array, ['x', 'y'])
    return [nativeArray(array.x), nativeArray(array.y)]
  })
  const results = new Float64Array(arrays.length)
  try {
    addon().reduceArrays(device, number, checkedArrayDType('reduce', 'x', arrays[0]?.x), list, results)
  } catch (error) {
    throw translated(error)
  }
  return results
}
