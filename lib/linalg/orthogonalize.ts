import { KronrootError, shown } from '../errors.js'
import type { Tensor } from '../tensor.js'
import type { SolveResult } from './inverse-root.js'
import { type Abortable, checkOptions, operation } from './operation.js'
import { checkedChoice, checkedInteger, checkedNumber, checkedOnFailure, type OnFailure } from './options.js'
import { checkedMatrix, checkOut } from './shapes.js'

/** Named coefficient tables; their sources are in native/core/orthogonalize_tables.hpp. */
export type CoefficientTable =
  | 'quintic'
  | 'jiacheng'
  | 'polar-express'
  | 'cans'
  | 'aol'
  | 'deepseek'
  | 'cubic'
  | 'modula'

export interface OrthogonalizeOptions {
  /**
   * 'newton-schulz' (default); 'gram-newton-schulz', the same polynomial on the Gram matrix of the short side, cheaper for
   * rectangles; 'polar', the exact polar factor.
   */
  readonly method?: 'newton-schulz' | 'gram-newton-schulz' | 'polar' | undefined
  /** A named table or triples [a, b, c] of which the last repeats. Default 'quintic', Muon's own. Not for 'polar'. */
  readonly table?: CoefficientTable | readonly (readonly [a: number, b: number, c: number])[] | undefined
  /** Iterations, 1 to 1000. Default: the length the table was published for; 8 for 'polar-express'. */
  readonly steps?: number | undefined
  /** 'polar-express': smallest singular value that is aimed at, relative to the largest; between 0 and 1. Default 1e-3. */
  readonly lower?: number | undefined
  /** 'polar-express': between 0 and 1. Default 0.02407327424182761. */
  readonly cushion?: number | undefined
  /** Factor on the norm that the start is divided by, > 0. Default 1; 1.01 for 'polar-express', 1.15 for 'aol'. */
  readonly safety?: number | undefined
  /**
   * Precision of the operands of the products, for f32 and 'newton-schulz': 'full' (default) or 'bf16', which uses the
   * matrix unit of processors that have one (AMX-BF16) and is 'full' elsewhere. Sums and the result are f32; its error is then
   * near 2^-6, as usual for Muon in bf16.
   */
  readonly precision?: 'full' | 'bf16' | undefined
  /** Where X goes; not a. Default: a fresh tensor. */
  readonly out?: Tensor | undefined
  /** What the output of a failed matrix holds. Default 'nan', with `out` 'keep'. */
  readonly onFailure?: OnFailure | undefined
}

export interface Orthogonalize {
  (a: Tensor, options?: OrthogonalizeOptions): SolveResult
  /** The same off the JavaScript thread; rejects with `signal.reason` when aborted. */
  async(a: Tensor, options?: OrthogonalizeOptions & Abortable): Promise<SolveResult>
}

// kr_method and kr_table of native/include/kronroot.
const methods = { 'newton-schulz': 5, 'gram-newton-schulz': 6, polar: 7 }
const precisions = { full: 0, bf16: 1 }
const tables: Readonly<Record<CoefficientTable, number>> = {
  quintic: 0,
  jiacheng: 1,
  'polar-express': 2,
  cans: 3,
  aol: 4,
  deepseek: 5,
  cubic: 6,
  modula: 7,
}
const custom = 8

/**
 * X near the polar factor U V^T of A = U S V^T, for every matrix of a batch `[..., m, n]`; any scale, tall or wide.
 *
 * Newton-Schulz: X <- a X + b (X X^T) X + c (X X^T)^2 X from A / (safety |A|_F). `report.residual` is |(X X^T)^2 z - X X^T z| /
 * |z| on the short side: 0 for a partial isometry; tables that end in a band report its width. A zero matrix answers 0
 * with 'rank_deficient'.
 *
 * Sources: Kovarik 1970, Bjorck and Bowie 1971; Polar Express: Amsel et al., arXiv 2505.16932.
 *
 * @throws KronrootError ERR_ARGUMENT, ERR_SHAPE, ERR_DTYPE, ERR_OPTION, ERR_ALIAS, ERR_DISPOSED, ERR_OUT_OF_MEMORY,
 *   ERR_NOT_CONVERGED
 */
export const orthogonalize: Orthogonalize = operation(
  'orthogonalize',
  1,
  (a: Tensor, options: OrthogonalizeOptions) => {
    const op = 'orthogonalize'
    checkOptions(op, options, [
      'method',
      'table',
      'steps',
      'lower',
      'cushion',
      'safety',
      'precision',
      'out',
      'onFailure',
    ])
    const input = checkedMatrix(op, 'a', a)
    const { out, steps, lower, cushion, safety } = options
    const method = checkedChoice(op, 'method', options.method ?? 'newton-schulz', methods)
    if (method === methods.polar)
      checkAbsent(op, options, ['table', 'steps', 'lower', 'cushion', 'safety'], "method 'polar'")
    const [table, coefficients] = checkedTable(op, options.table ?? 'quintic')
    if (table !== tables['polar-express'])
      checkAbsent(op, options, ['lower', 'cushion'], "tables other than 'polar-express'")
    const precision = checkedChoice(op, 'precision', options.precision ?? 'full', precisions)
    if (precision === precisions.bf16 && (a.dtype !== 'f32' || method !== methods['newton-schulz']))
      throw new KronrootError('ERR_OPTION', `${op}: precision 'bf16' is for f32 and method 'newton-schulz'`)
    if (out !== undefined) checkOut(op, out, a.shape, [input])
    return {
      on: a,
      inputs: [a],
      outputs: [out ?? { shape: a.shape, dtype: a.dtype }],
      // The zero values of the C struct stand for the defaults.
      options: [
        method,
        table,
        steps === undefined ? 0 : checkedInteger(op, 'steps', steps, 1, 1000),
        coefficients,
        lower === undefined ? 0 : checkedNumber(op, 'lower', lower, { above: 0, below: 1 }),
        cushion === undefined ? 0 : checkedNumber(op, 'cushion', cushion, { above: 0, below: 1 }),
        safety === undefined ? 0 : checkedNumber(op, 'safety', safety, { above: 0 }),
        precision,
      ],
      onFailure: checkedOnFailure(op, options.onFailure, out !== undefined),
      result: ([value], report) => ({ value: value!, report: report! }),
    }
  },
)

function checkAbsent(op: string, options: OrthogonalizeOptions, fields: readonly string[], what: string): void {
  const given = fields.find((field) => options[field as keyof OrthogonalizeOptions] !== undefined)
  if (given !== undefined) throw new KronrootError('ERR_OPTION', `${op}: ${given} does not apply to ${what}`)
}

/** [kr_table, triples of a custom table] */
function checkedTable(op: string, table: unknown): readonly [number, Float64Array | null] {
  if (!Array.isArray(table)) return [checkedChoice(op, 'table', table, tables), null]
  const coefficients = new Float64Array(table.length * 3)
  table.forEach((triple: unknown, i) => {
    if (!Array.isArray(triple) || triple.length !== 3) {
      throw new KronrootError('ERR_OPTION', `${op}: table[${i}] must be [a, b, c], got ${shown(triple)}`)
    }
    triple.forEach((value: unknown, j) => {
      coefficients[3 * i + j] = checkedNumber(op, `table[${i}][${j}]`, value)
    })
  })
  if (table.length >= 1 && table.length <= 1000) return [custom, coefficients]
  throw new KronrootError('ERR_OPTION', `${op}: table must have from 1 to 1000 triples, got ${table.length}`)
}
