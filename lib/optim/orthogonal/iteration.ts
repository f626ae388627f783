import type { CoefficientTable, OrthogonalizeOptions } from '../../linalg/orthogonalize.js'
import { numberIn, oneOf, optionError } from '../../schedule/validate.js'

/** How a matrix is orthogonalized. */
export interface IterationOptions {
  /** Default `newton-schulz`; `gram-newton-schulz` is cheaper for long rectangles, `polar` is exact. */
  readonly method?: OrthogonalizeOptions['method']
  /** Coefficients of the iteration: a named table or triples [a, b, c]. Default `quintic`, Muon's own. Not for `polar`. */
  readonly table?: OrthogonalizeOptions['table']
  /** Number of iterations, >= 1. Default: what the table was published for (quintic: 5). Not for `polar`. */
  readonly steps?: number
  /** `bf16` rounds the operands of the products, see `orthogonalize`. Default `full`. For `newton-schulz`. */
  readonly precision?: OrthogonalizeOptions['precision']
}

export const ITERATION_FIELDS = ['method', 'table', 'steps', 'precision'] as const

const METHODS = ['newton-schulz', 'gram-newton-schulz', 'polar'] as const

const TABLES: readonly CoefficientTable[] = [
  'quintic',
  'jiacheng',
  'polar-express',
  'cans',
  'aol',
  'deepseek',
  'cubic',
  'modula',
]

/** What `orthogonalize` is called with. */
export function iterationOf(
  owner: string,
  { method, table, steps, precision }: IterationOptions,
  usual: (typeof METHODS)[number] = 'newton-schulz',
): OrthogonalizeOptions {
  const checked = oneOf(owner, 'method', method ?? usual, METHODS)
  if (steps !== undefined) numberIn(owner, 'steps', steps, { min: 1, max: 1000, integer: true })
  if (table !== undefined && !Array.isArray(table)) oneOf(owner, 'table', table, TABLES)
  oneOf(owner, 'precision', precision ?? 'full', ['full', 'bf16'])
  if (precision === 'bf16' && checked !== 'newton-schulz')
    throw optionError(owner, 'precision', precision, `'full', because method is '${checked}'`)
  if (checked !== 'polar') return { method: checked, table: table ?? 'quintic', steps, precision }
  if (table !== undefined) throw optionError(owner, 'table', table, "left out, because method is 'polar'")
  if (steps !== undefined) throw optionError(owner, 'steps', steps, "left out, because method is 'polar'")
  return { method: checked }
}

/** Iterations assumed in FLOP counts where the caller leaves the number to the table. */
const ASSUMED_STEPS = 5

/**
 * Floating-point operations on one matrix m x n, m <= n. Newton-Schulz: a Gram matrix, a square and a product a step; Gram form:
 * four products of m x m a step, two Gram matrices and two products in all; polar: a Gram matrix, its eigenvectors (estimated),
 * an inverse root and a product.
 */
export function iterationFlops(
  rows: number,
  columns: number,
  { method, steps = ASSUMED_STEPS }: OrthogonalizeOptions,
): number {
  const [m, n] = rows < columns ? [rows, columns] : [columns, rows]
  if (method === 'gram-newton-schulz') return 8 * steps * m ** 3 + 8 * m * m * n
  if (method === 'polar') return 4 * m * m * n + 12 * m ** 3
  return steps * (4 * m * m * n + 2 * m ** 3)
}
