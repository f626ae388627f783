// What rules ask for that a gradient alone does not tell: callbacks on fp32 arrays, one a parameter of the group, in its order.
import { KronrootError, shown } from '../errors.js'
import { onHost, type ParameterArray } from '../precondition/arrays.js'

/** One array a parameter of the group. */
export type Arrays = readonly Float32Array[]

/** Loss of the current batch at `values`. Neither the values nor the answer are changed. */
export type LossAt = (values: Arrays) => number

/** Gradient of the loss of the current batch at `values`, a mean over the batch. */
export type GradientAt = (values: Arrays) => Arrays

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
