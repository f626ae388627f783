// What rules ask for that a gradient alone does not tell: callbacks on fp32 arrays, one a parameter of the group, in its order.
import { KronrootError, shown } from '../errors.js'
import { onHost, type ParameterArray } from '../precondition/arrays.js'

/** One array a parameter of the group. */
export type Arrays = readonly Float32Array[]

/** Loss of the current batch at `values`. Neither the values nor the answer are changed. */
export type LossAt = (values: Arrays) => number

/** Gradient of the loss of the current batch at `values`, a mean over the batch. */
export type GradientAt = (values: Arrays) => Arrays

/** Both in one pass. */
export type LossAndGradientAt = (values: Arrays) => { readonly loss: number; readonly gradient: Arrays }

/** Hessian (or Gauss-Newton matrix, or Fisher matrix) of the loss of the current batch at `values`, times `vectors`. */
export type HessianVector = (vectors: Arrays, values: Arrays) => Arrays

/** The values of the parameters as a callback gets them: in JavaScript's memory, to be read only. */
export function valuesOf(owner: string, parameters: readonly ParameterArray[] | undefined): Arrays {
  if (parameters !== undefined) return parameters.map(onHost)
  throw new KronrootError('ERR_OPTION', `${owner}: the values of the parameters are needed`)
}

/** The answer of a callback, checked: as many arrays as `like`, as long, and finite. */
export function answered(
  owner: string,
  callback: string,
  answer: unknown,
  like: readonly { readonly length: number }[],
): Arrays {
  const what = `${owner}: ${callback} must return ${like.length} Float32Arrays`
  if (!Array.isArray(answer) || answer.length !== like.length) {
    throw new KronrootError('ERR_SHAPE', `${what}, got ${Array.isArray(answer) ? answer.length : shown(answer)}`)
  }
  answer.forEach((array: unknown, index) => {
    const wanted = like[index]!.length
    if (!(array instanceof Float32Array) || array.length !== wanted) {
      const got = array instanceof Float32Array ? `${array.length} elements` : shown(array)
      throw new KronrootError('ERR_SHAPE', `${what}; number ${index} needs ${wanted} elements, got ${got}`)
    }
    if (!array.every(Number.isFinite)) {
      throw new KronrootError(
        'ERR_NON_FINITE',
        `${owner}: ${callback} returned a number that is not finite (array ${index})`,
      )
    }
  })
  return answer as Arrays
}

/** A loss, checked: a number, and finite unless `mayDiverge`. */
export function answeredLoss(owner: string, callback: string, loss: unknown, mayDiverge = false): number {
  if (typeof loss !== 'number') {
    throw new KronrootError('ERR_SHAPE', `${owner}: ${callback} must return a number for the loss, got ${shown(loss)}`)
  }
  if (!Number.isFinite(loss) && !mayDiverge) {
    throw new KronrootError('ERR_NON_FINITE', `${owner}: ${callback} returned the loss ${loss}`)
  }
  return loss
}

/** A callback among the options: a function, or nothing where `isOptional`; else ERR_OPTION. */
export function callback<Callback>(owner: string, field: string, value: Callback, isOptional = false): Callback {
  if (typeof value === 'function' || (isOptional && value === undefined)) return value
  throw new KronrootError('ERR_OPTION', `${owner}: ${field} must be a function, got ${shown(value)}`)
}
