import type { Tensor } from '../tensor.js'
import { type Abortable, checkOptions, operation } from './operation.js'
import { checkedFlag } from './options.js'
import { checkAlike, checkEqual, checkedBatch, checkedMatrix, checkOut, checkSquare, cols, rows } from './shapes.js'

export interface KronApplyOptions {
  /** Use A^T in place of A. Default false. */
  readonly transposeA?: boolean | undefined
  /** Use B^T in place of B. Default false. */
  readonly transposeB?: boolean | undefined
  /** Where Y goes; none of the inputs. Default: a fresh tensor. */
  readonly out?: Tensor | undefined
}

export interface KronApply {
  (a: Tensor | null, x: Tensor, b: Tensor | null, options?: KronApplyOptions): Tensor
  /** The same off the JavaScript thread; rejects with `signal.reason` when aborted. */
  async(a: Tensor | null, x: Tensor, b: Tensor | null, options?: KronApplyOptions & Abortable): Promise<Tensor>
}

/**
 * Y = op(A) X op(B) for every matrix of the batch, the product of the Kronecker factors op(A) and op(B)^T with X: A
 * `[..., m, m]`, B `[..., n, n]`, X and Y `[..., m, n]`; null stands for the identity. Multiplied in the cheaper order.
 *
 * |Y - exact| <= (m + n + 4) ulp |A| |X| |B|, elementwise; 2 m n (m + n) flop.
 *
 * @throws KronrootError ERR_ARGUMENT, ERR_SHAPE, ERR_DTYPE, ERR_OPTION, ERR_ALIAS, ERR_DISPOSED, ERR_OUT_OF_MEMORY
 */
export const kronApply: KronApply = operation(
  'kronApply',
  3,
  (a: Tensor | null, x: Tensor, b: Tensor | null, options: KronApplyOptions) => {
    const op = 'kronApply'
    checkOptions(op, options, ['transposeA', 'transposeB', 'out'])
    const middle = checkedMatrix(op, 'x', x)
    const left = a === null ? null : checkedMatrix(op, 'a', a)
    const right = b === null ? null : checkedMatrix(op, 'b', b)
    const inputs = [middle, left, right].filter((operand) => operand !== null)
    for (const factor of inputs.slice(1)) {
      checkAlike(op, middle, factor)
      checkSquare(op, factor)
    }
    if (left) checkEqual(op, 'columns', left, cols(left), rows(middle))
    if (right) checkEqual(op, 'rows', right, rows(right), cols(middle))
    const shape = [...checkedBatch(op, inputs), rows(middle), cols(middle)]
    const transposeA = checkedFlag(op, 'transposeA', options.transposeA)
    const transposeB = checkedFlag(op, 'transposeB', options.transposeB)
    const { out } = options
    if (out !== undefined) checkOut(op, out, shape, inputs)
    return {
      on: x,
      inputs: [a, x, b],
      outputs: [out ?? { shape, dtype: x.dtype }],
      options: [transposeA ? 1 : 0, transposeB ? 1 : 0],
      onFailure: 'keep',
      result: ([y]) => y!,
    }
  },
)
