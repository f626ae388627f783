import type { Tensor } from '../tensor.js'
import { type Abortable, checkOptions, operation } from './operation.js'
import { checkedFlag, checkedScales } from './options.js'
import { checkAlike, checkEqual, checkedBatch, checkedMatrix, checkOut, cols, rows } from './shapes.js'

export interface MatmulOptions {
  /** Use A^T in place of A. Default false. */
  readonly transposeA?: boolean | undefined
  /** Use B^T in place of B. Default false. */
  readonly transposeB?: boolean | undefined
  /** Finite, other than 0. Default 1. */
  readonly alpha?: number | undefined
  /** Finite. Default 0: the old content of `out` is not read. */
  readonly beta?: number | undefined
  /** Where C goes, and what beta multiplies; neither a nor b. Default: a fresh tensor. */
  readonly out?: Tensor | undefined
}

export interface Matmul {
  (a: Tensor, b: Tensor, options?: MatmulOptions): Tensor
  /** The same off the JavaScript thread; rejects with `signal.reason` when aborted. */
  async(a: Tensor, b: Tensor, options?: MatmulOptions & Abortable): Promise<Tensor>
}

/**
 * C = beta C + alpha op(A) op(B), for every matrix of the batch.
 *
 * op(A) `[..., m, k]`, op(B) `[..., k, n]`, C `[..., m, n]`; a batch of one matrix serves all matrices of the other.
 * |C - exact| <= (k + 2) ulp (|alpha| |A| |B| + |beta C|), elementwise. NaN and infinities spread within their matrix.
 *
 * @throws KronrootError ERR_ARGUMENT, ERR_SHAPE, ERR_DTYPE, ERR_OPTION, ERR_ALIAS, ERR_DISPOSED, ERR_OUT_OF_MEMORY
 */
export const matmul: Matmul = operation('matmul', 2, (a: Tensor, b: Tensor, options: MatmulOptions) => {
  checkOptions('matmul', options, ['transposeA', 'transposeB', 'alpha', 'beta', 'out'])
  const left = checkedMatrix('matmul', 'a', a)
  const right = checkedMatrix('matmul', 'b', b)
  checkAlike('matmul', left, right)
  const transposeA = checkedFlag('matmul', 'transposeA', options.transposeA)
  const transposeB = checkedFlag('matmul', 'transposeB', options.transposeB)
  const inner = transposeA ? rows(left) : cols(left)
  if (transposeB) checkEqual('matmul', 'columns', right, cols(right), inner)
  else checkEqual('matmul', 'rows', right, rows(right), inner)
  const shape = [
    ...checkedBatch('matmul', [left, right]),
    transposeA ? cols(left) : rows(left),
    transposeB ? rows(right) : cols(right),
  ]
  const { out } = options
  if (out !== undefined) checkOut('matmul', out, shape, [left, right])
  const [alpha, beta] = checkedScales('matmul', options.alpha, options.beta, out !== undefined)
  return {
    on: a,
    inputs: [a, b],
    outputs: [out ?? { shape, dtype: a.dtype }],
    options: [transposeA ? 1 : 0, transposeB ? 1 : 0, alpha, beta],
    onFailure: 'keep',
    result: ([c]) => c!,
  }
})
