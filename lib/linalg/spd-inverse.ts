import type { Tensor } from '../tensor.js'
import { type FactorizationOptions, factorizationFields } from './cholesky.js'
import type { SolveResult } from './inverse-root.js'
import { type Abortable, checkOptions, operation } from './operation.js'
import { checkedOnFailure } from './options.js'
import { checkedRidge } from './ridge.js'
import { checkedMatrix, checkOut, checkSquare } from './shapes.js'

export interface SpdInverse {
  (a: Tensor, options?: FactorizationOptions): SolveResult
  /** The same off the JavaScript thread; rejects with `signal.reason` when aborted. */
  async(a: Tensor, options?: FactorizationOptions & Abortable): Promise<SolveResult>
}

/**
 * X = (A + epsilon I)^{-1} of every symmetric positive definite matrix of a batch `[..., n, n]`, by Cholesky; X is exactly
 * symmetric. Only the lower triangle of A is read. `out` may be `a`. Failures as {@link cholesky}.
 *
 * |(A + epsilon I) X - I| <= 10 n ulp condition in 1-norms; n^3 flop. `report.residual` is |(A + epsilon I) X z - z| / |z|.
 *
 * @throws KronrootError ERR_ARGUMENT, ERR_SHAPE, ERR_DTYPE, ERR_OPTION, ERR_ALIAS, ERR_DISPOSED, ERR_OUT_OF_MEMORY,
 *   ERR_NOT_CONVERGED
 */
export const spdInverse: SpdInverse = operation('spdInverse', 1, (a: Tensor, options: FactorizationOptions) => {
  checkOptions('spdInverse', options, factorizationFields)
  const input = checkedMatrix('spdInverse', 'a', a)
  checkSquare('spdInverse', input)
  const { out } = options
  if (out !== undefined) checkOut('spdInverse', out, a.shape, [input], [input])
  return {
    on: a,
    inputs: [a],
    outputs: [out ?? { shape: a.shape, dtype: a.dtype }],
    options: checkedRidge('spdInverse', options.ridge, false),
    onFailure: checkedOnFailure('spdInverse', options.onFailure, out !== undefined),
    result: ([value], report) => ({ value: value!, report: report! }),
  }
})
