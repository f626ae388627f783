import { KronrootError, shown } from '../../errors.js'
import type { Arrays } from '../oracle.js'

/** The batch as a composite l(f(w)): what the exact Gauss-Newton matrix and its gradient are made of. */
export interface Residuals {
  /** Examples b of the batch; the loss is the mean over them. */
  readonly batch: number
  /** Derivatives of the c outputs of each example: for every parameter a matrix [b c, its elements], row-major. */
  readonly jacobian: Arrays
  /** Derivative of each example's loss in its outputs, [b, c]; their own values, for least squares. */
  readonly residual: Float32Array
  /** Hessian of each example's loss in its outputs, symmetric, positive semi-definite, [b, c, c]. Left out: the identity. */
  readonly hessian?: Float32Array | undefined
}

/** Residuals of the current batch at `values`. */
export type ResidualsAt = (values: Arrays) => Residuals

/** The answer, checked: lengths that fit each other and the parameters, finite numbers. */
export function answeredResiduals(
  owner: string,
  answer: Residuals,
  values: Arrays,
): Residuals & { readonly rows: number } {
  const refuse = (what: string): never => {
    throw new KronrootError('ERR_SHAPE', `${owner}: residualsAt must return ${what}`)
  }
  const { batch, jacobian, residual, hessian } = (answer ?? {}) as Residuals
  if (!Number.isInteger(batch) || batch < 1) refuse(`batch, an integer >= 1, got ${shown(batch)}`)
  if (!(residual instanceof Float32Array) || residual.length === 0 || residual.length % batch !== 0) {
    refuse(`residual, a Float32Array of batch (${batch}) times outputs, got ${lengthShown(residual)}`)
  }
  const rows = residual.length
  if (!Array.isArray(jacobian) || jacobian.length !== values.length) {
    refuse(`jacobian, a list of ${values.length}, got ${shown(jacobian)}`)
  }
  jacobian.forEach((array: unknown, index) => {
    const wanted = rows * values[index]!.length
    if (array instanceof Float32Array && array.length === wanted) return
    refuse(
      `jacobian[${index}], a Float32Array of ${rows} x ${values[index]!.length} elements, got ${lengthShown(array)}`,
    )
  })
  const blocks = rows * (rows / batch)
  if (hessian !== undefined && !(hessian instanceof Float32Array && hessian.length === blocks)) {
    refuse(`hessian, a Float32Array of ${blocks} elements, or nothing, got ${lengthShown(hessian)}`)
  }
  const allFinite = [residual, ...jacobian, ...(hessian === undefined ? [] : [hessian])].every((array) =>
    array.every(Number.isFinite),
  )
  if (!allFinite)
    throw new KronrootError('ERR_NON_FINITE', `${owner}: residualsAt returned a number that is not finite`)
  return { batch, jacobian, residual, hessian, rows }
}

function lengthShown(array: unknown): string {
  return array instanceof Float32Array ? `${array.length} elements` : shown(array)
}
