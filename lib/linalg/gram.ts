import type { Tensor } from '../tensor.js'
import { type Abortable, checkOptions, operation } from './operation.js'
import { checkedChoice, checkedScales } from './options.js'
import { checkedBatch, checkedMatrix, checkOut, cols, rows } from './shapes.js'

export interface GramOptions {
  /** 'left' (default): X X^T, m x m; 'right': X^T X, n x n. */
  readonly side?: 'left' | 'right' | undefined
  /** Finite, other than 0. Default 1. */
  readonly alpha?: number | undefined
  /** Finite. Default 0: the old content of `out` is not read; otherwise its lower triangle is. */
  readonly beta?: number | undefined
  /** Where C goes, and what beta multiplies; not x. Default: a fresh tensor. */
  readonly out?: Tensor | undefined
}

export interface Gram {
  (x: Tensor, options?: GramOptions): Tensor
  /** The same off the JavaScript thread; rejects with `signal.reason` when aborted. */
  async(x: Tensor, options?: GramOptions & Abortable): Promise<Tensor>
}

// kr_side of native/include/kronroot/ops.h.
const sides = { left: 0, right: 1 }

/**
 * C = beta C + alpha X X^T (left) or beta C + alpha X^T X (right), for every matrix of the batch; X `[..., m, n]`.
 *
 * One triangle is computed and mirrored: C is exactly symmetric. Bound as {@link matmul}, half of its cost. An
 * exponential moving average of second moments is `gram(g, { alpha: 1 - decay, beta: decay, out: statistic })`.
 *
 * @throws KronrootError ERR_ARGUMENT, ERR_SHAPE, ERR_DTYPE, ERR_OPTION, ERR_ALIAS, ERR_DISPOSED, ERR_OUT_OF_MEMORY
 */
export const gram: Gram = operation('gram', 1, (x: Tensor, options: GramOptions) => {
  checkOptions('gram', options, ['side', 'alpha', 'beta', 'out'])
  const input = checkedMatrix('gram', 'x', x)
  const side = checkedChoice('gram', 'side', options.side ?? 'left', sides)
  const n = side === sides.left ? rows(input) : cols(input)
  const shape = [...checkedBatch('gram', [input]), n, n]
  const { out } = options
  if (out !== undefined) checkOut('gram', out, shape, [input])
  const [alpha, beta] = checkedScales('gram', options.alpha, options.beta, out !== undefined)
  return {
    on: x,
    inputs: [x],
    outputs: [out ?? { shape, dtype: x.dtype }],
    options: [side, alpha, beta],
    onFailure: 'keep',
    result: ([c]) => c!,
  }
})
