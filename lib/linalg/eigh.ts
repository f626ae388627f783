import type { Tensor } from '../tensor.js'
import { type Abortable, checkOptions, operation } from './operation.js'
import { checkedFlag, checkedOnFailure, type OnFailure } from './options.js'
import type { Report } from './report.js'
import { checkedBatch, checkedMatrix, checkSquare, rows } from './shapes.js'

export interface EighOptions {
  /** Whether eigenvectors are computed. Default true. */
  readonly vectors?: boolean | undefined
  /** What the outputs of a failed matrix hold. Default 'nan'. */
  readonly onFailure?: Exclude<OnFailure, 'keep'> | undefined
}

export interface Eigh {
  (a: Tensor, options?: EighOptions): EighResult
  /** The same off the JavaScript thread; rejects with `signal.reason` when aborted. */
  async(a: Tensor, options?: EighOptions & Abortable): Promise<EighResult>
}

export interface EighResult {
  /** `[..., n]`, ascending. */
  readonly values: Tensor
  /** `[..., n, n]`, eigenvector j in column j; undefined with `vectors: false`. */
  readonly vectors: Tensor | undefined
  readonly report: Report
}

/**
 * Eigendecomposition (A + A^T) / 2 = V diag(w) V^T of every matrix of a batch `[..., n, n]`.
 *
 * The component of largest magnitude of every eigenvector is positive. Any scale is legal. An asymmetry above
 * sqrt(ulp) max|A| is a failure ('not_symmetric'), and so is a non-finite element. Bounds, in LAPACK's scaled ratios:
 * |A V - V diag(w)| / (n ulp |A|) < 10 and |V^T V - I| / (n ulp) < 10. About 9 n^3 flop (at most 5 n^3
 * from n = 96 on), 4/3 n^3 without vectors.
 *
 * `report.residual` is |A z - V diag(w) V^T z| / (|A|_F |z|) for one random z, `condition` max|w| / min|w|.
 * Source: Householder reduction, implicit QL and divide and conquer, Golub and Van Loan, Matrix Computations, 8.3 and 8.4.
 *
 * @throws KronrootError ERR_ARGUMENT, ERR_SHAPE, ERR_OPTION, ERR_DISPOSED, ERR_OUT_OF_MEMORY, ERR_NOT_CONVERGED
 */
export const eigh: Eigh = operation('eigh', 1, (a: Tensor, options: EighOptions) => {
  checkOptions('eigh', options, ['vectors', 'onFailure'])
  const input = checkedMatrix('eigh', 'a', a)
  checkSquare('eigh', input)
  const wanted = checkedFlag('eigh', 'vectors', options.vectors ?? true)
  const onFailure = checkedOnFailure('eigh', options.onFailure, false)
  const batch = checkedBatch('eigh', [input])
  return {
    on: a,
    inputs: [a],
    outputs: [{ shape: [...batch, rows(input)], dtype: a.dtype }, wanted ? { shape: a.shape, dtype: a.dtype } : null],
    options: [],
    onFailure,
    result: ([values, vectors], report) => ({ values: values!, vectors: vectors ?? undefined, report: report! }),
  }
})
