// LAPACK's scaled ratios, in f64 with 1-norms (TESTING/EIG/dsyt21.f, LIN/dpot01.f); ulp is the spacing of 1.
//
// Products are plain loops unless a faster one is given, which the caller must have verified.

/** op(A) B, A m x k (k x m where transposed), B k x n, all row-major. */
export type Multiply = (m: number, n: number, k: number, a: Float64Array, b: Float64Array, t?: 'A^T') => Float64Array

export const multiply: Multiply = (m, n, k, a, b, t) => {
  const c = new Float64Array(m * n)
  for (let i = 0; i < m; i++)
    for (let l = 0; l < k; l++) {
      const ail = t ? a[l * m + i]! : a[i * k + l]!
      if (ail === 0) continue
      for (let j = 0; j < n; j++) c[i * n + j]! += ail * b[l * n + j]!
    }
  return c
}

/** Largest column sum of magnitudes of an m x n matrix; NaN where an element is. */
export function norm1(a: ArrayLike<number>, m: number, n: number): number {
  const sums = new Float64Array(n)
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) sums[j]! += Math.abs(a[i * n + j]!)
  return sums.reduce((most, s) => Math.max(most, s), 0)
}

export function frobenius(a: ArrayLike<number>): number {
  let scale = 0
  for (let i = 0; i < a.length; i++) scale = Math.max(scale, Math.abs(a[i]!))
  if (scale === 0 || !Number.isFinite(scale)) return scale
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i]! / scale) ** 2
  return scale * Math.sqrt(sum)
}

/** |a - b|_F / |b|_F; the absolute error where b is zero. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new RangeError(`lengths ${a.length} and ${b.length} differ`)
  const difference = Float64Array.from({ length: a.length }, (_, i) => a[i]! - b[i]!)
  const norm = frobenius(b)
  return norm > 0 ? frobenius(difference) / norm : frobenius(difference)
}

/** The exponent e with 2^e max|A| in [1, 2): products of a matrix near overflow or underflow stay in range. */
function unitExponent(a: ArrayLike<number>): number {
  let largest = 0
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]!))
  return largest > 0 && Number.isFinite(largest) ? -Math.floor(Math.log2(largest)) : 0
}

/** 2^exponent A; in two factors, because 2^1074 is no f64 but 2^537 twice is. */
function scaledCopy(a: ArrayLike<number>, exponent: number): Float64Array {
  const half = Math.trunc(exponent / 2)
  const first = 2 ** half
  const second = 2 ** (exponent - half)
  return Float64Array.from({ length: a.length }, (_, i) => a[i]! * first * second)
}

export interface EighRatios {
  /** |A V - V diag(w)| / (n ulp |A|) */
  readonly residual: number
  /** |V^T V - I| / (n ulp) */
  readonly orthogonality: number
}

/** Both ratios of an eigendecomposition of the symmetric part of A; zero where n = 0. */
export function eighRatios(
  a: ArrayLike<number>,
  values: ArrayLike<number>,
  vectors: ArrayLike<number>,
  n: number,
  ulp: number,
  product: Multiply = multiply,
): EighRatios {
  if (n === 0) return { residual: 0, orthogonality: 0 }
  const exponent = unitExponent(a)
  const matrix = scaledCopy(a, exponent)
  for (let i = 0; i < n; i++)
    for (let j = 0; j < i; j++) matrix[i * n + j] = matrix[j * n + i] = 0.5 * (matrix[i * n + j]! + matrix[j * n + i]!)
  const w = scaledCopy(values, exponent)
  const v = Float64Array.from(vectors)

  const residual = product(n, n, n, matrix, v)
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) residual[i * n + j]! -= v[i * n + j]! * w[j]!
  const gram = product(n, n, n, v, v, 'A^T')
  for (let i = 0; i < n; i++) gram[i * n + i]! -= 1

  const norm = norm1(matrix, n, n)
  const error = norm1(residual, n, n)
  return {
    residual: norm > 0 ? error / (n * ulp * norm) : error === 0 ? 0 : Number.POSITIVE_INFINITY,
    orthogonality: norm1(gram, n, n) / (n * ulp),
  }
}

/** |L L^T - A| / (n ulp |A|). */
export function choleskyRatio(
  a: ArrayLike<number>,
  l: ArrayLike<number>,
  n: number,
  ulp: number,
  product: Multiply = multiply,
): number {
  if (n === 0) return 0
  const lower = Float64Array.from(l)
  const transposed = new Float64Array(n * n)
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) transposed[j * n + i] = lower[i * n + j]!
  const difference = product(n, n, n, lower, transposed)
  for (let i = 0; i < n * n; i++) difference[i]! -= a[i]!
  return norm1(difference, n, n) / (n * ulp * norm1(a, n, n))
}

/** |A X - I| (1-norm), which spd_inverse bounds by 10 n ulp condition. */
export function inverseResidual(
  a: ArrayLike<number>,
  x: ArrayLike<number>,
  n: number,
  product: Multiply = multiply,
): number {
  const residual = product(n, n, n, Float64Array.from(a), Float64Array.from(x))
  for (let i = 0; i < n; i++) residual[i * n + i]! -= 1
  return norm1(residual, n, n)
}
