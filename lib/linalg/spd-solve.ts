import type { Tensor } from '../tensor.js'
import { type FactorizationOptions, factorizationFields } from './cholesky.js'
import type { SolveResult } from './inverse-root.js'
import { type Abortable, checkOptions, operation } from './operation.js'
import { checkedOnFailure } from './options.js'
import { checkedRidge } from './ridge.js'
import { checkAlike, checkEqual, checkedBatch, checkedMatrix, checkOut, checkSquare, cols, rows } from './shapes.js'

export interface SpdSolve {
  (a: Tensor, b: Tensor, options?: FactorizationOptions): SolveResult
  /** The same off the JavaScript thread; rejects with `signal.reason` when aborted. */
  async(a: Tensor, b: Tensor, options?: FactorizationOptions & Abortable): Promise<SolveResult>
}

/**
 * Solves (A + epsilon I) X = B for every matrix of the batch, by Cholesky: A symmetric positive definite `[..., n, n]`, B and X
 * `[..., n, k]`. Only the lower triangle of A is read. `out` may be `b`. Failures as {@link cholesky}.
 *
 * `report.residual` is the largest over the columns of |A x - b| / (|A|_F |x| + |b|), below 10 n ulp. n^3 / 3 + 2 n^2 k flop.
 *
 * @throws KronrootError ERR_ARGUMENT, ERR_SHAPE, ERR_DTYPE, ERR_OPTION, ERR_ALIAS, ERR_DISPOSED, ERR_OUT_OF_MEMORY,
 *   ERR_NOT_CONVERGED
 */
export const spdSolve: SpdSolve = operation('spdSolve', 2, (a: Tensor, b: Tensor, options: FactorizationOptions) => {
  checkOptions('spdSolve', options, factorizationFields)
  const left = checkedMatrix('spdSolve', 'a', a)
  const right = checkedMatrix('spdSolve', 'b', b)
  checkSquare('spdSolve', left)
  checkAlike('spdSolve', left, right)
  checkEqual('spdSolve', 'rows', right, rows(right), rows(left))
  const shape = [...checkedBatch('spdSolve', [left, right]), rows(right), cols(right)]
  const { out } = options
  if (out !== undefined) checkOut('spdSolve', out, shape, [left, right], [right])
  return {
    on: a,
    inputs: [a, b],
    outputs: [out ?? { shape, dtype: a.dtype }],
    options: checkedRidge('spdSolve', options.ridge, false),
    onFailure: checkedOnFailure('spdSolve', options.onFailure, out !== undefined),
    result: ([value], report) => ({ value: value!, report: report! }),
  }
})
