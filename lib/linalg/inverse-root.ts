import { KronrootError, shown } from '../errors.js'
import type { Tensor } from '../tensor.js'
import { type Abortable, checkOptions, operation } from './operation.js'
import {
  checkedChoice,
  checkedFlag,
  checkedInteger,
  checkedNumber,
  checkedOnFailure,
  type OnFailure,
} from './options.js'
import type { Report } from './report.js'
import { checkedRidge, type Ridge } from './ridge.js'
import { checkedMatrix, checkOut, checkSquare } from './shapes.js'

export interface InverseRootOptions {
  /**
   * The root: an integer, or [numerator, denominator] such as [4, 3]; not 0, at most 64 in magnitude. Negative: the positive
   * power A^{1/|p|}. Default 2.
   */
  readonly p?: number | readonly [numerator: number, denominator: number] | undefined
  /**
   * Default 'auto': chosen by size, batch, condition and root. 'newton-db' and 'cans' take p = 2, 4, 8, ... in lowest terms;
   * 'chebyshev' answers conditions up to about 1e3 and leaves others to the next rung.
   */
  readonly method?: RootMethod | undefined
  /** Default { relative: 1e-6 } in f32, { relative: 1e-12 } in f64. */
  readonly ridge?: Ridge | undefined
  /** Largest balanced residual that is accepted before the next rung of the ladder is tried; > 0. Default 0.05. */
  readonly residualBound?: number | undefined
  /** Measure the residual in full (Frobenius norm over sqrt(n)) rather than on one random vector. Default false. */
  readonly fullResidual?: boolean | undefined
  /** Of iterations that stop by themselves (default 100), or the largest degree of 'chebyshev' (default 256); >= 1. */
  readonly maxIterations?: number | undefined
  /** Where X goes; may be a itself. Default: a fresh tensor. */
  readonly out?: Tensor | undefined
  /** What the output of a failed matrix holds. Default 'nan', with `out` 'keep'. */
  readonly onFailure?: OnFailure | undefined
}

export interface InverseRoot {
  (a: Tensor, options?: InverseRootOptions): SolveResult
  /** The same off the JavaScript thread; rejects with `signal.reason` when aborted. */
  async(a: Tensor, options?: InverseRootOptions & Abortable): Promise<SolveResult>
}

/** A result with what is said of each matrix. */
export interface SolveResult {
  readonly value: Tensor
  readonly report: Report
}

// kr_method of native/include/kronroot/types.h.
const methods = {
  auto: 0,
  eigh: 1,
  minimax: 2,
  'coupled-newton': 3,
  'higher-order': 10,
  'newton-db': 11,
  cans: 12,
  chebyshev: 13,
  rational: 14,
  'partial-fractions': 17,
} as const

export type RootMethod = keyof typeof methods

/** Every value that `method` may have. */
export const rootMethods = Object.keys(methods) as readonly RootMethod[]

/**
 * X = (A + epsilon I)^{-1/p} of every symmetric matrix of a batch `[..., n, n]`.
 *
 * Every result is certified: `report.residual` is the balanced residual |X^{p/2} (A + epsilon I) X^{p/2} - I|, measured from
 * A and the X returned. One above `residualBound` is discarded and the next rung tried: the chosen method, eigh, eigh in f64;
 * `report.rung` says which answered. When none does: 'not_converged'. Singular, slightly indefinite, slightly asymmetric,
 * zero, 1 x 1 and non-finite matrices have the answers defined in native/include/kronroot/ops.h (inverse_root).
 *
 * Sources: coupled Newton: Guo and Higham, SIAM J. Matrix Anal. Appl. 28 (2006); minimax, balanced residual and the
 * other methods: docs/algorithms.md; their measured errors: docs/inverse-roots.md.
 *
 * @throws KronrootError ERR_ARGUMENT, ERR_SHAPE, ERR_DTYPE, ERR_OPTION, ERR_ALIAS, ERR_DISPOSED, ERR_OUT_OF_MEMORY,
 *   ERR_NOT_CONVERGED
 */
export const inverseRoot: InverseRoot = operation('inverseRoot', 1, (a: Tensor, options: InverseRootOptions) => {
  const op = 'inverseRoot'
  checkOptions(op, options, [
    'p',
    'method',
    'ridge',
    'residualBound',
    'fullResidual',
    'maxIterations',
    'out',
    'onFailure',
  ])
  const input = checkedMatrix(op, 'a', a)
  checkSquare(op, input)
  const { out, residualBound, maxIterations } = options
  if (out !== undefined) checkOut(op, out, a.shape, [input], [input])
  return {
    on: a,
    inputs: [a],
    outputs: [out ?? { shape: a.shape, dtype: a.dtype }],
    options: [
      ...checkedRoot(op, options.p ?? 2, options.method),
      checkedChoice(op, 'method', options.method ?? 'auto', methods),
      ...checkedRidge(op, options.ridge, true),
      // The zero values of the C struct stand for the defaults.
      residualBound === undefined ? 0 : checkedNumber(op, 'residualBound', residualBound, { above: 0 }),
      checkedFlag(op, 'fullResidual', options.fullResidual) ? 1 : 0,
      maxIterations === undefined ? 0 : checkedInteger(op, 'maxIterations', maxIterations, 1, 1_000_000),
    ],
    onFailure: checkedOnFailure(op, options.onFailure, out !== undefined),
    result: ([value], report) => ({ value: value!, report: report! }),
  }
})

/** [numerator, denominator] */
function checkedRoot(op: string, p: unknown, method: unknown): readonly [number, number] {
  const [numerator, denominator] = Array.isArray(p) ? p : [p, 1]
  const whole = Number.isInteger(numerator) && Number.isInteger(denominator) && (!Array.isArray(p) || p.length === 2)
  if (!whole || numerator === 0 || Math.abs(numerator) > 64 || denominator < 1 || denominator > 64) {
    throw new KronrootError(
      'ERR_OPTION',
      `${op}: p must be an integer or [numerator, denominator] such as [4, 3], numerator from -64 to 64 but not 0, ` +
        `denominator from 1 to 64, got ${shown(p)}`,
    )
  }
  const squareRoots = method === 'newton-db' || method === 'cans'
  if (squareRoots && !isPowerOfTwo(Math.abs(numerator) / divisor(numerator, denominator))) {
    throw new KronrootError(
      'ERR_OPTION',
      `${op}: method '${method}' takes square roots: p must be 2, 4, 8, ... in lowest terms, got ${shown(p)}`,
    )
  }
  return [numerator, denominator]
}

/** Greatest common divisor. */
function divisor(a: number, b: number): number {
  return b === 0 ? Math.abs(a) : divisor(b, a % b)
}

function isPowerOfTwo(n: number): boolean {
  return n >= 2 && Number.isInteger(Math.log2(n))
}
