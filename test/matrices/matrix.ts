// What a matrix of the zoo is, and the precisions it comes in.
import type { Random } from './random.js'

export type DType = 'f32' | 'f64'

/** A symmetric (or, where its name says so, almost symmetric) n x n matrix, row-major. */
export interface ZooMatrix {
  readonly name: string
  readonly n: number
  /** n * n numbers; already rounded to f32 where the matrix was asked for in f32. */
  readonly data: Float64Array
  /** The eigenvalues before rounding, ascending, where the construction knows them. */
  readonly spectrum?: Float64Array
}

export interface ZooOptions {
  readonly dtype: DType
  readonly random: Random
}

/**
 * ulp: spacing of 1; tiny: smallest normal number; huge: largest finite number; rootTiny, rootHuge: the scales of
 * LAPACK's types 7, 12, 15, 20 and 6, 11, 14, 19, sqrt(underflow) / ulp and sqrt(overflow) ulp (dchkst.f, KMAGN).
 */
export const precision = {
  f32: limits(2 ** -23, 2 ** -126, 3.4028234663852886e38),
  f64: limits(2 ** -52, 2 ** -1022, Number.MAX_VALUE),
} as const

function limits(ulp: number, tiny: number, huge: number) {
  return { ulp, tiny, huge, rootTiny: Math.sqrt(tiny) / ulp, rootHuge: ulp / Math.sqrt(tiny) }
}

/** The typed array of a dtype holding these numbers, rounded to it. */
export function typed(dtype: DType, data: ArrayLike<number>): Float32Array | Float64Array {
  return dtype === 'f32' ? Float32Array.from(data) : Float64Array.from(data)
}

/** The matrix as the dtype stores it, in f64. */
export function rounded(matrix: ZooMatrix, dtype: DType): ZooMatrix {
  return dtype === 'f32' ? { ...matrix, data: matrix.data.map(Math.fround) } : matrix
}

/** factor * matrix; a power of two as the factor is exact. */
export function scaled(matrix: ZooMatrix, factor: number, name: string): ZooMatrix {
  const spectrum = matrix.spectrum?.map((w) => w * factor)
  const data = matrix.data.map((a) => a * factor)
  return { name, n: matrix.n, data, ...(spectrum ? { spectrum: ascending(spectrum) } : {}) }
}

export function ascending(spectrum: Iterable<number>): Float64Array {
  return Float64Array.from(spectrum).sort()
}

/** The symmetric matrix with entry(i, j) for j <= i. */
export function symmetric(n: number, entry: (i: number, j: number) => number): Float64Array {
  const data = new Float64Array(n * n)
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      const value = entry(i, j)
      data[i * n + j] = value
      data[j * n + i] = value
    }
  return data
}

export function diagonal(values: ArrayLike<number>): Float64Array {
  const n = values.length
  const data = new Float64Array(n * n)
  for (let i = 0; i < n; i++) data[i * n + i] = values[i]!
  return data
}
