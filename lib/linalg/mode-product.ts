import { KronrootError, shown } from '../errors.js'
import type { Tensor } from '../tensor.js'
import { type Abortable, checkOptions, operation } from './operation.js'
import { checkedFlag } from './options.js'
import { checkAlike, checkEqual, checkedMatrix, checkOut, cols, type Named, rows } from './shapes.js'

export interface ModeProductOptions {
  /** Which factors are used transposed, one flag for each. Default: none. */
  readonly transpose?: readonly boolean[] | undefined
  /** Where Y goes; none of the inputs. Default: a fresh tensor. */
  readonly out?: Tensor | undefined
}

export interface ModeProduct {
  (x: Tensor, factors: readonly (Tensor | null)[], options?: ModeProductOptions): Tensor
  /** The same off the JavaScript thread; rejects with `signal.reason` when aborted. */
  async(x: Tensor, factors: readonly (Tensor | null)[], options?: ModeProductOptions & Abortable): Promise<Tensor>
}

/** KR_MOST_MODES of native/include/kronroot/ops.h. */
const mostModes = 8

/**
 * Y = X x_1 op(A_1) x_2 op(A_2) ... x_k op(A_k): along each of the last k dimensions of x a matrix, k the number of factors,
 *
 *     y[j_1 .. j_k] = sum over all i of op(A_1)[j_1, i_1] .. op(A_k)[j_k, i_k] x[i_1 .. i_k],
 *
 * so that for k = 2 Y = op(A_1) X op(A_2)^T. X is `[..., d_1, .., d_k]`, op(A_i) `[..., e_i, d_i]` or null for the identity, Y
 * `[..., e_1, .., e_k]`; factors have the batch of x or are one matrix. Multiplied in the cheapest order.
 *
 * |Y - exact| <= (sum of d_i + 2 k) ulp |X| x_1 |A_1| .. x_k |A_k|, elementwise; 2 e_i flop for each element that the tensor
 * has when its turn comes.
 *
 * @throws KronrootError ERR_ARGUMENT, ERR_SHAPE, ERR_DTYPE, ERR_OPTION, ERR_ALIAS, ERR_DISPOSED, ERR_OUT_OF_MEMORY
 */
export const modeProduct: ModeProduct = operation(
  'modeProduct',
  2,
  (x: Tensor, factors: readonly (Tensor | null)[], options: ModeProductOptions) => {
    const op = 'modeProduct'
    checkOptions(op, options, ['transpose', 'out'])
    const tensor = checkedMatrix(op, 'x', x)
    const order = checkedOrder(op, factors, tensor)
    const transpose = checkedTranspose(op, options.transpose, order)
    const batch = x.shape.slice(0, -order)
    const dims = x.shape.slice(-order)
    const named = factors.map((factor, i) => (factor === null ? null : checkedMatrix(op, `factors[${i}]`, factor)))
    const results = named.map((factor, i) => {
      if (factor === null) return dims[i]!
      checkAlike(op, tensor, factor)
      checkServes(op, factor, batch)
      const [to, from, what] = transpose[i] ? [cols, rows, 'rows'] : [rows, cols, 'columns']
      checkEqual(op, what, factor, from(factor), dims[i]!)
      return to(factor)
    })
    const shape = [...batch, ...results]
    const { out } = options
    if (out !== undefined) checkOut(op, out, shape, [tensor, ...named.filter((factor) => factor !== null)])
    const absent = new Array<null>(mostModes - order).fill(null)
    return {
      on: x,
      inputs: [x, ...factors, ...absent],
      outputs: [out ?? { shape, dtype: x.dtype }],
      options: [transpose.reduce((bits, flag, i) => bits | (flag ? 1 << i : 0), 0), Float64Array.from(dims)],
      onFailure: 'keep',
      result: ([y]) => y!,
    }
  },
)

function checkedOrder(op: string, factors: unknown, { tensor }: Named): number {
  const count = Array.isArray(factors) ? factors.length : 0
  if (count >= 1 && count <= Math.min(mostModes, tensor.shape.length)) return count
  throw new KronrootError(
    'ERR_ARGUMENT',
    `${op}: factors must be a list of 1 to ${mostModes} matrices or nulls, at most one for each dimension of x ` +
      `${shown(tensor.shape)}, got ${Array.isArray(factors) ? `${count} of them` : shown(factors)}`,
  )
}

function checkedTranspose(op: string, transpose: unknown, order: number): readonly boolean[] {
  if (transpose === undefined) return new Array<boolean>(order).fill(false)
  if (!Array.isArray(transpose) || transpose.length !== order) {
    throw new KronrootError(
      'ERR_OPTION',
      `${op}: transpose must be a list of ${order} flags, one for each factor, got ${shown(transpose)}`,
    )
  }
  return transpose.map((flag, i) => checkedFlag(op, `transpose[${i}]`, flag))
}

/** A factor is one matrix or has the batch of x. */
function checkServes(op: string, factor: Named, batch: readonly number[]): void {
  const own = factor.tensor.shape.slice(0, -2)
  if (own.every((extent) => extent === 1)) return
  if (own.length === batch.length && own.every((extent, i) => extent === batch[i])) return
  throw new KronrootError(
    'ERR_SHAPE',
    `${op}: the batch of ${factor.name} is ${shown(own)}, that of x is ${shown(batch)}; it must be equal or one matrix`,
  )
}
