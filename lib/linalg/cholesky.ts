import type { Tensor } from '../tensor.js'
import type { SolveResult } from './inverse-root.js'
import { type Abortable, checkOptions, operation } from './operation.js'
import { checkedOnFailure, type OnFailure } from './options.js'
import { checkedRidge, type Ridge } from './ridge.js'
import { checkedMatrix, checkOut, checkSquare } from './shapes.js'

/** Of the ops that factor A + epsilon I = L L^T. */
export interface FactorizationOptions {
  /** Default 'none'; a pseudo-inverse is not to be had from a Cholesky factorization. */
  readonly ridge?: Exclude<Ridge, { readonly pseudoInverse: number }> | undefined
  /** Where the result goes. Default: a fresh tensor. */
  readonly out?: Tensor | undefined
  /** What the output of a failed matrix holds. Default 'nan', with `out` 'keep'. */
  readonly onFailure?: OnFailure | undefined
}

export const factorizationFields = ['ridge', 'out', 'onFailure'] as const

export interface Cholesky {
  (a: Tensor, options?: FactorizationOptions): SolveResult
  /** The same off the JavaScript thread; rejects with `signal.reason` when aborted. */
  async(a: Tensor, options?: FactorizationOptions & Abortable): Promise<SolveResult>
}

/**
 * A + epsilon I = L L^T of every matrix of a batch `[..., n, n]`: L lower, zeros above the diagonal. Only the lower triangle
 * of A is read. `out` may be `a`.
 *
 * A pivot <= 0 is the failure 'not_positive_definite', with its index in `report.detail`. |L L^T - A| / (n ulp |A|) < 10 in
 * 1-norms; n^3 / 3 flop. `report.residual` is |A z - L L^T z| / (|A|_F |z|), `condition` (max l_ii / min l_ii)^2.
 *
 * @throws KronrootError ERR_ARGUMENT, ERR_SHAPE, ERR_DTYPE, ERR_OPTION, ERR_ALIAS, ERR_DISPOSED, ERR_OUT_OF_MEMORY,
 *   ERR_NOT_CONVERGED
 */
export const cholesky: Cholesky = operation('cholesky', 1, (a: Tensor, options: FactorizationOptions) => {
  checkOptions('cholesky', options, factorizationFields)
  const input = checkedMatrix('cholesky', 'a', a)
  checkSquare('cholesky', input)
  const { out } = options
  if (out !== undefined) checkOut('cholesky', out, a.shape, [input], [input])
  return {
    on: a,
    inputs: [a],
    outputs: [out ?? { shape: a.shape, dtype: a.dtype }],
    options: checkedRidge('cholesky', options.ridge, false),
    onFailure: checkedOnFailure('cholesky', options.onFailure, out !== undefined),
    result: ([value], report) => ({ value: value!, report: report! }),
  }
})
