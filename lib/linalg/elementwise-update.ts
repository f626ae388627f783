import type { Device } from '../device.js'
import { checkFields, KronrootError, shown } from '../errors.js'
import { addon, type NativeArgument, translated } from '../native/addon.js'
import { type ArrayOperand, checkedArrayDType, checkedList, nativeArray } from './arrays.js'

/** What happens to an element; formulas: {@link elementwiseUpdate}. */
export type UpdateKind = 'combine' | 'momentum' | 'sign' | 'adam' | 'max' | 'quotient' | 'product' | 'gate'

/** One array of an update with everything that belongs to it, all of one length. Numbers that are left out are 0. */
export interface UpdateArray {
  readonly gradient: ArrayOperand
  /** First moment. Needed by `momentum`, `product` and `gate`, only read by `combine` and `product`. */
  readonly m?: ArrayOperand | undefined
  /** Second moment. Needed by `adam`, `max`, `quotient` and `gate`, for them alone; only read by the last two. */
  readonly v?: ArrayOperand | undefined
  /** Largest second moment so far, for AMSGrad. */
  readonly vMax?: ArrayOperand | undefined
  /** Where D goes. May be the gradient itself. */
  readonly direction?: ArrayOperand | undefined
  /** Weights to be moved. */
  readonly w?: ArrayOperand | undefined
  /** Times w is added to the gradient. */
  readonly l2?: number
  readonly mDecay?: number
  readonly mWeight?: number
  readonly vDecay?: number
  readonly vWeight?: number
  /** Weight of the gradient in D. */
  readonly fromGradient?: number
  /** Weight of the first moment in D. */
  readonly fromM?: number
  /** Factor of the second moment, in `adam` below the root, such as 1 / (1 - beta2^t). */
  readonly vScale?: number
  /** Added below the root. */
  readonly epsilonInside?: number
  /** Added to the denominator; in `quotient` its least value. */
  readonly epsilon?: number
  readonly lr?: number
  /** Times w is taken off w. */
  readonly shrinkage?: number
  /** Least D of `quotient` and `product`, where lower < upper. */
  readonly lower?: number
  /** Largest D of `quotient` and `product`, where lower < upper. */
  readonly upper?: number
}

const kinds: readonly UpdateKind[] = ['combine', 'momentum', 'sign', 'adam', 'max', 'quotient', 'product', 'gate']
// In the order of native/addon/arrays.cpp, as the two functions below write them out: properties that are read by name are
// what the engine is quick at, and an optimizer makes entries for each of its parameters at every step.
const operands = ['gradient', 'm', 'v', 'vMax', 'direction', 'w'] as const
const numbers = [
  'l2',
  'mDecay',
  'mWeight',
  'vDecay',
  'vWeight',
  'fromGradient',
  'fromM',
  'vScale',
  'epsilonInside',
  'epsilon',
  'lr',
  'shrinkage',
  'lower',
  'upper',
] as const
const fields = [...operands, ...numbers]
const known = new Set<string>(fields)

function operandsOf(a: UpdateArray): readonly NativeArgument[] {
  return [a.gradient, a.m, a.v, a.vMax, a.direction, a.w].map(nativeArray)
}

function numbersOf(a: UpdateArray): readonly number[] {
  const { l2 = 0, mDecay = 0, mWeight = 0, vDecay = 0, vWeight = 0, fromGradient = 0, fromM = 0, vScale = 0 } = a
  const { epsilonInside = 0, epsilon = 0, lr = 0, shrinkage = 0, lower = 0, upper = 0 } = a
  // biome-ignore format: one list, in the order of the fields
  return [l2, mDecay, mWeight, vDecay, vWeight, fromGradient, fromM, vScale, epsilonInside, epsilon, lr, shrinkage, lower, upper]
}

/**
 * One step of an elementwise rule over many arrays in one call, in place. For every element, what is absent left out,
 *
 *     G = gradient + l2 w
 *     combine    D = fromGradient G + fromM m
 *     momentum   m <- mDecay m + mWeight G,  D = fromGradient G + fromM m
 *     sign       D = sign(fromGradient G + fromM m),  then m as in momentum
 *     adam       m as in momentum,  v <- vDecay v + vWeight G^2,  vMax <- max(vMax, v)
 *                D = (fromGradient G + fromM m) / (sqrt(vScale u + epsilonInside) + epsilon),  u = vMax, or v without
 *     max        m as in momentum,  v <- max(vDecay v, vWeight |G|),  D = (fromGradient G + fromM m) / (vScale v + epsilon)
 *     quotient   m as in momentum,  D = (fromGradient G + fromM m) / max(vScale |v|, epsilon)
 *     product    D = fromGradient G m
 *     gate       D = v / (1 + exp(-|G - m|)),  then m as in momentum
 *     direction <- D,   w <- w - lr D - shrinkage w
 *
 * Where lower < upper, quotient and product bring D into [lower, upper].
 *
 * Sums and products are within 2 ulp of the magnitudes of their terms, D of `adam`, `max` and `quotient` within 8, of `gate`
 * within 8 of |v|. Arrays are tensors of the device, or Float32Arrays or Float64Arrays (all of one type), which are updated
 * where they lie, without a copy. What is written must not overlap anything else of the call; direction and w may be the
 * gradient itself, or an m or v that is only read. Each array is read and written once, on several threads, whose number
 * does not change the bits. There is no asynchronous twin: memory that JavaScript owns cannot be lent to another thread.
 *
 * @returns for every entry whether its G and every number written are finite. Those that are not have been written
 *   all the same, element by element.
 * @throws KronrootError ERR_ARGUMENT, ERR_OPTION, ERR_SHAPE, ERR_DTYPE, ERR_BUFFER, ERR_ALIAS, ERR_DISPOSED,
 *   ERR_OUT_OF_MEMORY; then nothing was written
 */
export function elementwiseUpdate(
  device: Device,
  kind: UpdateKind,
  arrays: readonly UpdateArray[],
): readonly boolean[] {
  const op = 'elementwiseUpdate'
  const number = kinds.indexOf(kind)
  if (number < 0) {
    throw new KronrootError(
      'ERR_OPTION',
      `${op}: kind must be one of ${kinds.map(shown).join(', ')}, got ${shown(kind)}`,
    )
  }
  checkedList(op, arrays)
  const values = new Float64Array(arrays.length * numbers.length)
  const list: NativeArgument[] = []
  arrays.forEach((array, entry) => {
    checkEntryFields(op, array, entry)
    const own = numbersOf(array)
    if (!own.every(Number.isFinite)) refuseNumber(op, own, entry)
    list.push(...operandsOf(array))
    values.set(own, entry * numbers.length)
  })
  const finite = new Int32Array(arrays.length)
  try {
    addon().updateArrays(device, number, checkedArrayDType(op, 'gradient', arrays[0]?.gradient), list, values, finite)
  } catch (error) {
    throw translated(error)
  }
  return Array.from(finite, (flag) => flag === 1)
}

function checkEntryFields(op: string, array: UpdateArray, entry: number): void {
  let isKnown = typeof array === 'object' && array !== null
  if (isKnown) for (const field in array) isKnown &&= known.has(field)
  if (!isKnown) checkFields(`${op}: arrays[${entry}]`, array, fields)
}

function refuseNumber(op: string, own: readonly unknown[], entry: number): never {
  const index = own.findIndex((value) => !Number.isFinite(value))
  const name = `arrays[${entry}].${numbers[index]}`
  throw new KronrootError('ERR_OPTION', `${op}: ${name} must be a finite number, got ${shown(own[index])}`)
}
