import { checkFields, KronrootError } from '../errors.js'
import type { Tensor } from '../tensor.js'
import { type Abortable, checkOptions, operation } from './operation.js'
import { checkedChoice, checkedFlag, checkedNumber, checkedOnFailure, type OnFailure } from './options.js'
import type { Report } from './report.js'
import { checkedBatch, checkedMatrix, checkedOutputs, checkOut, checkSquare, type Named, rows } from './shapes.js'

/**
 * An eigenbasis of an earlier, similar matrix, brought up to date instead of computed anew. `basis` has the shape of `a` and
 * orthonormal columns in any order; it is overwritten and becomes `vectors` of the result.
 *
 * Where |A Q - Q diag(b)|_F <= tolerance |A|_F, b_j = q_j . A q_j, the basis Q stays (`report.method` 'kept-basis'). If not,
 * - 'decompose': A is decomposed;
 * - 'iterate': one step of orthogonal iteration, Q <- qr(A Q), as SOAP does it ('orthogonal-iteration').
 *
 * `report.residual` tells how good the result is: about |A V - V diag(w)|_F / |A|_F. A basis that is not orthonormal (zeros
 * before the first step, say) is not used: A is decomposed. A failed matrix leaves its basis alone under `onFailure`
 * 'throw' and 'keep' (with `out.values`); the NaN of 'nan' lead to a decomposition the next time.
 */
export interface EighRefresh {
  readonly otherwise: 'decompose' | 'iterate'
  readonly basis: Tensor
  /** From 0 to below 1. Default n ulp: as good as a decomposition. */
  readonly tolerance?: number | undefined
}

export interface EighOptions {
  /** Whether eigenvectors are computed. Default true. */
  readonly vectors?: boolean | undefined
  /** Starts from the eigenbasis of an earlier matrix. */
  readonly refresh?: EighRefresh | undefined
  /**
   * Where the outputs go: values `[..., n]`, and vectors `[..., n, n]` if they are computed, but not with `refresh`, whose
   * basis they overwrite. Default: fresh tensors.
   */
  readonly out?: { readonly values: Tensor; readonly vectors?: Tensor | undefined } | undefined
  /** What the outputs of a failed matrix hold. Default 'nan', with `out` 'keep'. */
  readonly onFailure?: OnFailure | undefined
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
 * from n = 64 to 96 on), 4/3 n^3 without vectors.
 *
 * `report.residual` is |A z - V diag(w) V^T z| / (|A|_F |z|) for one random z, `condition` max|w| / min|w|.
 * `refresh` halves the time on a matrix whose eigenvectors changed too little to matter.
 * Source: Householder reduction, implicit QL and divide and conquer, Golub and Van Loan, Matrix Computations, 8.3 and 8.4.
 *
 * @throws KronrootError ERR_ARGUMENT, ERR_SHAPE, ERR_DTYPE, ERR_OPTION, ERR_ALIAS, ERR_DISPOSED, ERR_OUT_OF_MEMORY,
 *   ERR_NOT_CONVERGED
 */
export const eigh: Eigh = operation('eigh', 1, (a: Tensor, options: EighOptions) => {
  checkOptions('eigh', options, ['vectors', 'refresh', 'out', 'onFailure'])
  const input = checkedMatrix('eigh', 'a', a)
  checkSquare('eigh', input)
  const wanted = checkedFlag('eigh', 'vectors', options.vectors ?? true)
  const refresh = checkedRefresh(options.refresh, input, wanted)
  const { out } = options
  const shapes = {
    values: [...checkedBatch('eigh', [input]), rows(input)],
    vectors: wanted && refresh.basis === undefined ? a.shape : null,
  }
  const [values, vectors] = checkedOutputs('eigh', out, shapes, input)
  return {
    on: a,
    inputs: [a],
    outputs: [values!, refresh.basis ?? vectors!],
    options: refresh.native,
    onFailure: checkedOnFailure('eigh', options.onFailure, out !== undefined),
    result: ([values, vectors], report) => ({ values: values!, vectors: vectors ?? undefined, report: report! }),
  }
})

// kr_refresh of native/include/kronroot/ops.h
const kinds: Readonly<Record<string, number>> = { decompose: 1, iterate: 2 }

/** The basis, and kr_refresh with its tolerance for the native options. */
function checkedRefresh(
  refresh: EighRefresh | undefined,
  a: Named,
  wantsVectors: boolean,
): { readonly basis: Tensor | undefined; readonly native: readonly [number, number] } {
  if (refresh === undefined) return { basis: undefined, native: [0, 0] }
  if (!wantsVectors) throw new KronrootError('ERR_OPTION', 'eigh: refresh needs vectors')
  checkFields('eigh: refresh', refresh, ['otherwise', 'basis', 'tolerance'])
  const { otherwise, basis, tolerance } = refresh
  const kind = checkedChoice('eigh', 'refresh.otherwise', otherwise, kinds)
  checkOut('eigh', basis, a.tensor.shape, [a], [], 'refresh.basis')
  const bounds = { min: 0, below: 1 }
  const checked = tolerance === undefined ? 0 : checkedNumber('eigh', 'refresh.tolerance', tolerance, bounds)
  return { basis, native: [kind, checked] }
}
