import type { Tensor } from '../tensor.js'
import { type Abortable, checkOptions, operation } from './operation.js'
import { checkedFlag, checkedOnFailure, type OnFailure } from './options.js'
import type { Report } from './report.js'
import { checkedBatch, checkedMatrix, checkedOutputs, cols, rows } from './shapes.js'

export interface SvdOptions {
  /** Whether singular vectors are computed. Default true. */
  readonly vectors?: boolean | undefined
  /** Where the outputs go, of the shapes of {@link SvdResult}; no u and v with `vectors: false`. Default: fresh tensors. */
  readonly out?: { readonly s: Tensor; readonly u?: Tensor | undefined; readonly v?: Tensor | undefined } | undefined
  /** What the outputs of a failed matrix hold. Default 'nan', with `out` 'keep'. */
  readonly onFailure?: OnFailure | undefined
}

export interface Svd {
  (a: Tensor, options?: SvdOptions): SvdResult
  /** The same off the JavaScript thread; rejects with `signal.reason` when aborted. */
  async(a: Tensor, options?: SvdOptions & Abortable): Promise<SvdResult>
}

export interface SvdResult {
  /** Singular values `[..., l]`, descending, l = min(m, n). */
  readonly s: Tensor
  /** `[..., m, l]`, left singular vector j in column j; undefined with `vectors: false`. */
  readonly u: Tensor | undefined
  /** `[..., n, l]`, right singular vector j in column j (not transposed); undefined with `vectors: false`. */
  readonly v: Tensor | undefined
  readonly report: Report
}

/**
 * A = U diag(s) V^T for every matrix of a batch `[..., m, n]`: any shape, rank and scale.
 *
 * The component of largest magnitude of every column of the shorter of u and v (u of a square) is positive. Bounds, 1-norms:
 * |A - U diag(s) V^T| / (max(m, n) ulp |A|) < 10, |U^T U - I| / (m ulp) < 10, |V^T V - I| / (n ulp) < 10, and every singular
 * value is within 10 max(m, n) ulp s_1 of the exact one.
 *
 * `report.residual` is the largest of |A z - U diag(s) V^T z| / (|A|_F |z|), |U^T U y - y| / |y| and the same of V, for random y
 * and z; `condition` is s_1 / s_l. A non-finite element is the failure 'non_finite_input'.
 * Source: one-sided Jacobi, Hestenes 1958; Golub and Van Loan, Matrix Computations, 8.6.3.
 *
 * @throws KronrootError ERR_ARGUMENT, ERR_SHAPE, ERR_DTYPE, ERR_OPTION, ERR_ALIAS, ERR_DISPOSED, ERR_OUT_OF_MEMORY,
 *   ERR_NOT_CONVERGED
 */
export const svd: Svd = operation('svd', 1, (a: Tensor, options: SvdOptions) => {
  checkOptions('svd', options, ['vectors', 'out', 'onFailure'])
  const input = checkedMatrix('svd', 'a', a)
  const wanted = checkedFlag('svd', 'vectors', options.vectors ?? true)
  const batch = checkedBatch('svd', [input])
  const shorter = Math.min(rows(input), cols(input))
  const { out } = options
  const shapes = {
    s: [...batch, shorter],
    u: wanted ? [...batch, rows(input), shorter] : null,
    v: wanted ? [...batch, cols(input), shorter] : null,
  }
  return {
    on: a,
    inputs: [a],
    outputs: checkedOutputs('svd', out, shapes, input),
    options: [],
    onFailure: checkedOnFailure('svd', options.onFailure, out !== undefined),
    result: ([s, u, v], report) => ({ s: s!, u: u ?? undefined, v: v ?? undefined, report: report! }),
  }
})
