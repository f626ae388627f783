import { KronrootError } from '../errors.js'
import type { Tensor } from '../tensor.js'
import type { SolveResult } from './inverse-root.js'
import { type Abortable, checkOptions, operation } from './operation.js'
import { checkedChoice, checkedInteger, checkedOnFailure, type OnFailure } from './options.js'
import { checkedBatch, checkedMatrix, checkOut } from './shapes.js'

/**
 * - 'spectral' (default): an upper bound of the largest singular value, at most 2.5 % above
 * - 'spectral-lower': a lower bound of it, by power iteration from the longest row
 * - 'frobenius'
 * - 'one', 'infinity': the largest sum of magnitudes of a column, of a row
 * - 'max': the largest magnitude
 */
export type NormKind = 'spectral' | 'spectral-lower' | 'frobenius' | 'one' | 'infinity' | 'max'

export interface NormEstimateOptions {
  readonly kind?: NormKind | undefined
  /** Steps of 'spectral-lower', 1 to 1000. Default 4. */
  readonly iterations?: number | undefined
  /** Where the norms go, `[..., 1]`. Default: a fresh tensor. */
  readonly out?: Tensor | undefined
  /** What the output of a failed matrix holds. Default 'nan', with `out` 'keep'. */
  readonly onFailure?: OnFailure | undefined
}

export interface NormEstimate {
  (a: Tensor, options?: NormEstimateOptions): SolveResult
  /** The same off the JavaScript thread; rejects with `signal.reason` when aborted. */
  async(a: Tensor, options?: NormEstimateOptions & Abortable): Promise<SolveResult>
}

const kinds: Readonly<Record<NormKind, number>> = {
  spectral: 0,
  'spectral-lower': 1,
  frobenius: 2,
  one: 3,
  infinity: 4,
  max: 5,
}

/**
 * A norm of every matrix of a batch `[..., m, n]`; `value` is `[..., 1]`. Any scale is legal, the norm of zero and of empty matrices
 * is 0. The first kind is a bound without chance: it squares the Gram matrix until powers of its trace tell (s = min(m, n):
 * m n s flop and s^3 for each of 0 to 7 squarings); the second costs two passes over A a step; the others one pass, and are exact
 * to 2 ulp (f64: m + n ulp). A non-finite element is the failure 'non_finite_input', a norm beyond the range of the dtype
 * 'overflow'.
 *
 * @throws KronrootError ERR_ARGUMENT, ERR_SHAPE, ERR_DTYPE, ERR_OPTION, ERR_ALIAS, ERR_DISPOSED, ERR_OUT_OF_MEMORY,
 *   ERR_NOT_CONVERGED
 */
export const normEstimate: NormEstimate = operation('normEstimate', 1, (a: Tensor, options: NormEstimateOptions) => {
  const op = 'normEstimate'
  checkOptions(op, options, ['kind', 'iterations', 'out', 'onFailure'])
  const input = checkedMatrix(op, 'a', a)
  const kind = checkedChoice(op, 'kind', options.kind ?? 'spectral', kinds)
  const { iterations, out } = options
  if (iterations !== undefined && kind !== kinds['spectral-lower']) {
    throw new KronrootError('ERR_OPTION', `${op}: iterations belong to kind 'spectral-lower'`)
  }
  const shape = [...checkedBatch(op, [input]), 1]
  if (out !== undefined) checkOut(op, out, shape, [input])
  return {
    on: a,
    inputs: [a],
    outputs: [out ?? { shape, dtype: a.dtype }],
    options: [kind, iterations === undefined ? 0 : checkedInteger(op, 'iterations', iterations, 1, 1000)],
    onFailure: checkedOnFailure(op, options.onFailure, out !== undefined),
    result: ([value], report) => ({ value: value!, report: report! }),
  }
})
