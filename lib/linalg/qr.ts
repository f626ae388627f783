import type { Tensor } from '../tensor.js'
import { type Abortable, checkOptions, operation } from './operation.js'
import { checkedChoice, checkedOnFailure, type OnFailure } from './options.js'
import type { Report } from './report.js'
import { checkedBatch, checkedMatrix, checkedOutputs, cols, rows } from './shapes.js'

export interface QrOptions {
  /**
   * 'reduced' (default): Q `[..., m, l]` and R `[..., l, n]`, l = min(m, n); 'complete': Q `[..., m, m]` and R `[..., m, n]`;
   * 'r': R as in 'reduced', no Q.
   */
  readonly mode?: 'reduced' | 'complete' | 'r' | undefined
  /** Where the outputs go, of the shapes that `mode` gives; no q with `mode: 'r'`. Default: fresh tensors. */
  readonly out?: { readonly q?: Tensor | undefined; readonly r: Tensor } | undefined
  /** What the outputs of a failed matrix hold. Default 'nan', with `out` 'keep'. */
  readonly onFailure?: OnFailure | undefined
}

export interface Qr {
  (a: Tensor, options?: QrOptions): QrResult
  /** The same off the JavaScript thread; rejects with `signal.reason` when aborted. */
  async(a: Tensor, options?: QrOptions & Abortable): Promise<QrResult>
}

export interface QrResult {
  /** Orthonormal columns; undefined with `mode: 'r'`. */
  readonly q: Tensor | undefined
  /** Upper triangular, with a diagonal >= 0. */
  readonly r: Tensor
  readonly report: Report
}

const modes = { reduced: 0, complete: 1, r: 2 } as const

/**
 * A = Q R for every matrix of a batch `[..., m, n]`, by Householder reflectors: any shape, rank and scale. Where the columns of
 * A are independent, Q and R are unique.
 *
 * Bounds, 1-norms: |A - Q R| / (max(m, n) ulp |A|) < 10 and |Q^T Q - I| / (m ulp) < 10. `report.residual` is the larger of
 * |A z - Q R z| / (|A|_F |z|) and |Q^T Q y - y| / |y| for random y and z, `condition` max r_ii / min r_ii, a lower bound of that of
 * A. A non-finite element is the failure 'non_finite_input', an R beyond the range of the dtype 'overflow'.
 * 4 l^2 (max(m, n) - l / 3) flop.
 * Source: Golub and Van Loan, Matrix Computations, 5.2.
 *
 * @throws KronrootError ERR_ARGUMENT, ERR_SHAPE, ERR_DTYPE, ERR_OPTION, ERR_ALIAS, ERR_DISPOSED, ERR_OUT_OF_MEMORY,
 *   ERR_NOT_CONVERGED
 */
export const qr: Qr = operation('qr', 1, (a: Tensor, options: QrOptions) => {
  checkOptions('qr', options, ['mode', 'out', 'onFailure'])
  const input = checkedMatrix('qr', 'a', a)
  const mode = checkedChoice('qr', 'mode', options.mode ?? 'reduced', modes)
  const batch = checkedBatch('qr', [input])
  const complete = mode === modes.complete
  const inner = complete ? rows(input) : Math.min(rows(input), cols(input))
  const { out } = options
  const shapes = {
    q: mode === modes.r ? null : [...batch, rows(input), inner],
    r: [...batch, inner, cols(input)],
  }
  return {
    on: a,
    inputs: [a],
    outputs: checkedOutputs('qr', out, shapes, input),
    options: [complete ? 1 : 0],
    onFailure: checkedOnFailure('qr', options.onFailure, out !== undefined),
    result: ([q, r], report) => ({ q: q ?? undefined, r: r!, report: report! }),
  }
})
