import type { Tensor } from '../tensor.js'
import type { SolveResult } from './inverse-root.js'
import { type Abortable, checkOptions, operation } from './operation.js'
import { checkedChoice, checkedFlag, checkedNumber, checkedOnFailure, type OnFailure } from './options.js'
import { checkAlike, checkEqual, checkedBatch, checkedMatrix, checkOut, checkSquare, cols, rows } from './shapes.js'

export interface TriangularSolveOptions {
  /** 'left' (default): op(T) X = alpha B; 'right': X op(T) = alpha B. */
  readonly side?: 'left' | 'right' | undefined
  /** Whether T is upper triangular. Default false: lower. The other triangle is not looked at. */
  readonly upper?: boolean | undefined
  /** op(T) = T^T. Default false. */
  readonly transpose?: boolean | undefined
  /** Ones on the diagonal, whatever T holds there. Default false. */
  readonly unitDiagonal?: boolean | undefined
  /** Default 1; not 0. */
  readonly alpha?: number | undefined
  /** Where X goes; may be `b`. Default: a fresh tensor. */
  readonly out?: Tensor | undefined
  /** What the output of a failed matrix holds. Default 'nan', with `out` 'keep'. */
  readonly onFailure?: OnFailure | undefined
}

export interface TriangularSolve {
  (t: Tensor, b: Tensor, options?: TriangularSolveOptions): SolveResult
  /** The same off the JavaScript thread; rejects with `signal.reason` when aborted. */
  async(t: Tensor, b: Tensor, options?: TriangularSolveOptions & Abortable): Promise<SolveResult>
}

const fields = ['side', 'upper', 'transpose', 'unitDiagonal', 'alpha', 'out', 'onFailure']
const sides = { left: 0, right: 1 } as const

/**
 * Solves op(T) X = alpha B (or X op(T) = alpha B) by substitution for every triangular T `[..., n, n]` of the batch and B, X
 * `[..., n, k]` (`[..., k, n]`).
 *
 * Bound: |op(T) X - alpha B| <= 2 (n + 4) ulp |op(T)| |X|, elementwise. `report.residual` is
 * |op(T) x - alpha b| / (|T|_F |x| + |alpha b|) for one right-hand side, for more the root of the sum of its squares, estimated;
 * `condition` max|t_ii| / min|t_ii|. A zero on the diagonal is the failure 'singular', its index in `detail`; a solution or 1 / t_ii
 * beyond the range of the dtype 'overflow'. n^2 k flop.
 * Source: Golub and Van Loan, Matrix Computations, 3.1.
 *
 * @throws KronrootError ERR_ARGUMENT, ERR_SHAPE, ERR_DTYPE, ERR_OPTION, ERR_ALIAS, ERR_DISPOSED, ERR_OUT_OF_MEMORY,
 *   ERR_NOT_CONVERGED
 */
export const triangularSolve: TriangularSolve = operation(
  'triangularSolve',
  2,
  (t: Tensor, b: Tensor, options: TriangularSolveOptions) => {
    const op = 'triangularSolve'
    checkOptions(op, options, fields)
    const triangle = checkedMatrix(op, 't', t)
    const right = checkedMatrix(op, 'b', b)
    checkSquare(op, triangle)
    checkAlike(op, triangle, right)
    const side = checkedChoice(op, 'side', options.side ?? 'left', sides)
    if (side === sides.left) checkEqual(op, 'rows', right, rows(right), rows(triangle))
    else checkEqual(op, 'columns', right, cols(right), rows(triangle))
    const shape = [...checkedBatch(op, [triangle, right]), rows(right), cols(right)]
    const { out } = options
    if (out !== undefined) checkOut(op, out, shape, [triangle, right], [right])
    return {
      on: t,
      inputs: [t, b],
      outputs: [out ?? { shape, dtype: t.dtype }],
      options: [
        side,
        checkedFlag(op, 'upper', options.upper) ? 1 : 0,
        checkedFlag(op, 'transpose', options.transpose) ? 1 : 0,
        checkedFlag(op, 'unitDiagonal', options.unitDiagonal) ? 1 : 0,
        options.alpha === undefined ? 1 : checkedNumber(op, 'alpha', options.alpha, { nonzero: true }),
      ],
      onFailure: checkedOnFailure(op, options.onFailure, out !== undefined),
      result: ([value], report) => ({ value: value!, report: report! }),
    }
  },
)
