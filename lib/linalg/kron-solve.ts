import { checkFields, KronrootError, shown } from '../errors.js'
import type { Tensor } from '../tensor.js'
import type { SolveResult } from './inverse-root.js'
import { type Abortable, checkOptions, operation } from './operation.js'
import { checkedNumber, checkedOnFailure, type OnFailure } from './options.js'
import type { Report } from './report.js'
import {
  checkAlike,
  checkEqual,
  checkedBatch,
  checkedMatrix,
  checkedVector,
  checkOut,
  checkSquare,
  cols,
  type Named,
  rows,
} from './shapes.js'

/**
 * One side of a Kronecker product in its eigenbasis, as {@link eigh} returns it. Without vectors: the identity; without
 * values: ones.
 */
export interface KronBasis {
  /** `[..., n, n]`, eigenvector j in column j. */
  readonly vectors?: Tensor | null | undefined
  /** `[..., n]`. */
  readonly values?: Tensor | null | undefined
}

/** The second moment S <- beta S + weight (Q_A^T X Q_B)^2. */
export interface SquaresOptions {
  /** S `[..., m, n]`, updated in place; a failed matrix keeps what it has. */
  readonly into: Tensor
  /** Weight of what S holds, >= 0; 0 does not read it. */
  readonly beta: number
  /** Weight of the new squares, >= 0. Default 1 - beta, or 0 where that is negative. */
  readonly weight?: number | undefined
}

export interface KronSolveOptions {
  /**
   * What is added to every scale, >= 0: a number, one relative to the largest scale of the matrix, or nothing. Default
   * { relative: 1e-6 } (f32) or 1e-12 (f64).
   */
  readonly damping?: { readonly absolute: number } | { readonly relative: number } | 'none' | undefined
  /** 1 (default) or 1/2. */
  readonly power?: 1 | 0.5 | undefined
  /** Factor of the scales, > 0, such as a correction for their start at zero. Default 1. */
  readonly factor?: number | undefined
  /** Added to the power, >= 0. Default 0. */
  readonly epsilon?: number | undefined
  /** Scales `[..., m, n]` in the basis, in place of the products of the values. */
  readonly scale?: Tensor | undefined
  /** Updates a second moment with this X first, and uses it as `scale`. */
  readonly accumulate?: SquaresOptions | undefined
  /** Where Y goes; may be x. Default: a fresh tensor. */
  readonly out?: Tensor | undefined
  /** What the output of a failed matrix holds. Default 'nan', with `out` 'keep'. */
  readonly onFailure?: OnFailure | undefined
}

export interface KronSolve {
  (x: Tensor, a: KronBasis | null, b: KronBasis | null, options?: KronSolveOptions): SolveResult
  /** The same off the JavaScript thread; rejects with `signal.reason` when aborted. */
  async(
    x: Tensor,
    a: KronBasis | null,
    b: KronBasis | null,
    options?: KronSolveOptions & Abortable,
  ): Promise<SolveResult>
}

export interface KronSquares {
  (x: Tensor, a: KronBasis | null, b: KronBasis | null, options: SquaresOptions): Report
  /** The same off the JavaScript thread; rejects with `signal.reason` when aborted. */
  async(x: Tensor, a: KronBasis | null, b: KronBasis | null, options: SquaresOptions & Abortable): Promise<Report>
}

const solveFields = ['damping', 'power', 'factor', 'epsilon', 'scale', 'accumulate', 'out', 'onFailure']
const squaresFields = ['into', 'beta', 'weight']

/**
 * Solves in the eigenbases of two Kronecker factors, for every matrix X `[..., m, n]`:
 *
 *     Z = Q_A^T X Q_B,   Y = Q_A (Z / ((factor s + damping)^power + epsilon)) Q_B^T,   s_ij = a_i b_j
 *
 * which is A Y B + damping Y = X for A = Q_A diag(a) Q_A^T and B = Q_B diag(b) Q_B^T (KFAC). `scale` gives s_ij one by one
 * (EKFAC); `accumulate` keeps them as an average of Z^2, which with power 1/2 and an epsilon is Adam in the eigenbasis.
 *
 *     kronSolve(gradient, eigh(a), eigh(b), { damping: { relative: 1e-3 } })
 *
 * `report.residual` is what the rotations lost of X or Y, below 20 max(m, n) ulp for bases of `eigh`, and large for bases that
 * are not orthonormal; `condition` the largest over the smallest damped scale. Scales that are negative by rounding count as
 * 0, others are the failure 'not_positive_definite' with their index in `detail`; what would be divided by 0 is dropped
 * ('rank_deficient', `detail` how many directions were kept). 4 m n (m + n) flop.
 *
 * @throws KronrootError ERR_ARGUMENT, ERR_SHAPE, ERR_DTYPE, ERR_OPTION, ERR_ALIAS, ERR_DISPOSED, ERR_OUT_OF_MEMORY,
 *   ERR_NOT_CONVERGED
 */
export const kronSolve: KronSolve = operation(
  'kronSolve',
  3,
  (x: Tensor, a: KronBasis | null, b: KronBasis | null, options: KronSolveOptions) => {
    const op = 'kronSolve'
    checkOptions(op, options, solveFields)
    const { scale, accumulate, out } = options
    if (scale !== undefined && accumulate !== undefined) {
      throw new KronrootError('ERR_OPTION', `${op}: scale and accumulate exclude each other`)
    }
    const system = checkedSystem(op, x, a, b)
    if (scale !== undefined) system.inputs.push(likeX(op, 'scale', scale, system.x))
    const shape = [...checkedBatch(op, system.inputs), rows(system.x), cols(system.x)]
    const squares = accumulate === undefined ? noSquares : checkedSquares(op, 'accumulate', accumulate, shape, system)
    if (out !== undefined) checkOut(op, out, shape, system.inputs, [system.x])
    if (out !== undefined && out === squares.into) {
      throw new KronrootError('ERR_ALIAS', `${op}: out must not be accumulate.into`)
    }
    const [kind, value] = checkedDamping(op, options.damping)
    return {
      on: x,
      inputs: [...system.operands, scale ?? null, x],
      outputs: [squares.into, out ?? { shape, dtype: x.dtype }],
      options: [
        checkedPower(op, options.power),
        kind,
        value,
        options.factor === undefined ? 1 : checkedNumber(op, 'factor', options.factor, { above: 0 }),
        options.epsilon === undefined ? 0 : checkedNumber(op, 'epsilon', options.epsilon, { min: 0 }),
        squares.beta,
        squares.weight,
      ],
      onFailure: checkedOnFailure(op, options.onFailure, out !== undefined),
      result: ([, solution], report) => ({ value: solution!, report: report! }),
    }
  },
)

/**
 * S <- beta S + weight Z^2, element by element, Z = Q_A^T X Q_B: the second moment of X in the eigenbases, in place. The report
 * is that of {@link kronSolve}, without a condition.
 *
 * @throws KronrootError ERR_ARGUMENT, ERR_SHAPE, ERR_DTYPE, ERR_OPTION, ERR_ALIAS, ERR_DISPOSED, ERR_OUT_OF_MEMORY
 */
export const kronSquares = operation(
  'kronSolve',
  3,
  (x: Tensor, a: KronBasis | null, b: KronBasis | null, options: SquaresOptions) => {
    const op = 'kronSquares'
    checkOptions(op, options, squaresFields)
    const system = checkedSystem(op, x, a, b)
    const shape = [...checkedBatch(op, system.inputs), rows(system.x), cols(system.x)]
    const squares = checkedSquares(op, '', options, shape, system)
    return {
      on: x,
      inputs: [...system.operands, null, x],
      outputs: [squares.into, null],
      options: [0, 0, 0, 0, 0, squares.beta, squares.weight],
      onFailure: 'keep',
      result: (_, report) => report!,
    }
  },
) as KronSquares // its options are not optional

interface System {
  readonly x: Named
  /** a.vectors, a.values, b.vectors, b.values. */
  readonly operands: readonly (Tensor | null)[]
  /** All that are there, as matrices. */
  readonly inputs: Named[]
}

function checkedSystem(op: string, x: unknown, a: unknown, b: unknown): System {
  const middle = checkedMatrix(op, 'x', x)
  const left = checkedBasis(op, 'a', a, middle, rows(middle))
  const right = checkedBasis(op, 'b', b, middle, cols(middle))
  return {
    x: middle,
    operands: [left.vectors, left.values, right.vectors, right.values],
    inputs: [middle, ...left.inputs, ...right.inputs],
  }
}

function checkedBasis(op: string, side: 'a' | 'b', basis: unknown, x: Named, size: number) {
  if (basis === null) return { vectors: null, values: null, inputs: [] }
  if (typeof basis !== 'object') {
    throw new KronrootError('ERR_ARGUMENT', `${op}: ${side} must be { vectors, values } or null, got ${shown(basis)}`)
  }
  const { vectors, values } = basis as KronBasis
  const inputs: Named[] = []
  const what = side === 'a' ? 'rows' : 'columns'
  if (vectors != null) {
    const named = checkedMatrix(op, `${side}.vectors`, vectors)
    checkAlike(op, x, named)
    checkSquare(op, named)
    checkEqual(op, what, named, rows(named), size)
    inputs.push(named)
  }
  if (values != null) checkValues(op, side, values, x, size, vectors)
  return { vectors: vectors ?? null, values: values ?? null, inputs }
}

/** Values `[..., n]`: as many as the vectors have, or one set for the batch. */
function checkValues(op: string, side: string, values: Tensor, x: Named, size: number, vectors: KronBasis['vectors']) {
  const name = `${side}.values`
  const named = checkedVector(op, name, values)
  checkAlike(op, x, named)
  checkEqual(op, 'values', named, values.shape[values.shape.length - 1]!, size)
  const own = values.shape.slice(0, -1)
  const wanted = (vectors ?? x.tensor).shape.slice(0, -2)
  const fits = own.every((extent) => extent === 1) || shown(own) === shown(wanted)
  if (!fits) {
    throw new KronrootError('ERR_SHAPE', `${op}: the batch of ${name} is ${shown(own)}, ${shown(wanted)} is needed`)
  }
}

function likeX(op: string, name: string, tensor: unknown, x: Named): Named {
  const named = checkedMatrix(op, name, tensor)
  checkAlike(op, x, named)
  checkEqual(op, 'rows', named, rows(named), rows(x))
  checkEqual(op, 'columns', named, cols(named), cols(x))
  return named
}

const noSquares = { into: null, beta: 0, weight: 0 } as const

function checkedSquares(
  op: string,
  where: string,
  squares: SquaresOptions,
  shape: readonly number[],
  { inputs }: System,
): { readonly into: Tensor; readonly beta: number; readonly weight: number } {
  const field = (name: string) => (where === '' ? name : `${where}.${name}`)
  if (where !== '') checkFields(`${op}: ${where}`, squares, squaresFields)
  const { into, beta, weight } = squares
  checkOut(op, into, shape, inputs, [], field('into'))
  const checkedBeta = checkedNumber(op, field('beta'), beta, { min: 0 })
  return {
    into,
    beta: checkedBeta,
    weight:
      weight === undefined ? Math.max(0, 1 - checkedBeta) : checkedNumber(op, field('weight'), weight, { min: 0 }),
  }
}

function checkedPower(op: string, power: unknown): number {
  if (power === undefined || power === 1) return 0
  if (power === 0.5) return 1
  throw new KronrootError('ERR_OPTION', `${op}: power must be 1 or 0.5, got ${shown(power)}`)
}

// The values of kr_ridge that kron_solve knows; 0 is its default.
const none = 1
const dampings: Readonly<Record<string, number>> = { absolute: 2, relative: 3 }

function checkedDamping(op: string, damping: unknown): readonly [number, number] {
  if (damping === undefined) return [0, 0]
  if (damping === 'none') return [none, 0]
  const fields = typeof damping === 'object' && damping !== null ? Object.keys(damping) : []
  const kind = fields[0] ?? ''
  if (fields.length !== 1 || !Object.hasOwn(dampings, kind)) {
    const got = fields.length > 0 ? `{ ${fields.join(', ')} }` : shown(damping)
    throw new KronrootError('ERR_OPTION', `${op}: damping must be { absolute }, { relative } or 'none', got ${got}`)
  }
  const value = (damping as Record<string, unknown>)[kind]
  return [dampings[kind]!, checkedNumber(op, `damping.${kind}`, value, { min: 0 })]
}
