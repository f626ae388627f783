// Random orthogonal matrices, and matrices with a prescribed spectrum in a random orthonormal basis.
//
// The Q of the QR decomposition of a Gaussian matrix is Haar distributed, and its k-th Householder vector is that of
// a fresh Gaussian vector of length n - k, so Q is drawn without forming the Gaussian matrix.
// Source: Stewart, "The efficient generation of random orthogonal matrices", SIAM J. Numer. Anal. 17 (1980).
import { ascending } from './matrix.js'
import type { Random } from './random.js'

/** v and tau of the reflector I - tau v v^T that maps a Gaussian vector of this length onto -sign(x_0) |x| e_0. */
function gaussianReflector(length: number, random: Random): { v: Float64Array; tau: number } {
  const v = random.normals(length)
  const norm = Math.hypot(...v)
  v[0]! += v[0]! < 0 ? -norm : norm
  let square = 0
  for (const x of v) square += x * x
  return { v, tau: square > 0 ? 2 / square : 0 }
}

/** A Haar-distributed orthogonal n x n matrix. */
export function randomOrthogonal(n: number, random: Random): Float64Array {
  const q = new Float64Array(n * n)
  for (let i = 0; i < n; i++) q[i * n + i] = random.sign()
  const row = new Float64Array(n)
  for (let k = n - 2; k >= 0; k--) {
    const { v, tau } = gaussianReflector(n - k, random)
    row.fill(0)
    for (let i = k; i < n; i++) for (let j = k; j < n; j++) row[j]! += v[i - k]! * q[i * n + j]!
    for (let i = k; i < n; i++) for (let j = k; j < n; j++) q[i * n + j]! -= tau * v[i - k]! * row[j]!
  }
  return q
}

/**
 * Q diag(spectrum) Q^T with a Haar-distributed Q, exactly symmetric: each reflector H acts as the rank-two update
 * H A H = A - v w^T - w v^T with p = tau A v, w = p - (tau / 2)(p^T v) v. Cost: 4/3 n^3 (LAPACK's xLAGSY).
 */
export function fromSpectrum(spectrum: ArrayLike<number>, random: Random): Float64Array {
  const n = spectrum.length
  const a = new Float64Array(n * n)
  for (let i = 0; i < n; i++) a[i * n + i] = spectrum[i]!
  for (let k = n - 2; k >= 0; k--) {
    const { v, tau } = gaussianReflector(n - k, random)
    const w = new Float64Array(n - k)
    let projection = 0
    for (let i = k; i < n; i++) {
      let sum = 0
      for (let j = k; j < n; j++) sum += a[i * n + j]! * v[j - k]!
      w[i - k] = tau * sum
      projection += tau * sum * v[i - k]!
    }
    for (let i = 0; i < n - k; i++) w[i]! -= 0.5 * tau * projection * v[i]!
    for (let i = k; i < n; i++) {
      const vi = v[i - k]!
      const wi = w[i - k]!
      for (let j = k; j < n; j++) a[i * n + j]! -= vi * w[j - k]! + wi * v[j - k]!
    }
  }
  return a
}

/** A named matrix with this spectrum, the spectrum kept beside it. */
export function spectral(name: string, spectrum: ArrayLike<number>, random: Random) {
  return { name, n: spectrum.length, data: fromSpectrum(spectrum, random), spectrum: ascending(Array.from(spectrum)) }
}

/** A = U diag(s) V^T, m x n, with random U and V, and its polar factor U V^T (s > 0). */
export function fromSingularValues(
  m: number,
  n: number,
  s: ArrayLike<number>,
  random: Random,
): { data: Float64Array; polar: Float64Array } {
  const rank = s.length
  const u = randomOrthogonal(m, random)
  const v = randomOrthogonal(n, random)
  const data = new Float64Array(m * n)
  const polar = new Float64Array(m * n)
  for (let i = 0; i < m; i++)
    for (let k = 0; k < rank; k++) {
      const uik = u[i * m + k]!
      for (let j = 0; j < n; j++) {
        const direction = uik * v[j * n + k]!
        polar[i * n + j]! += direction
        data[i * n + j]! += s[k]! * direction
      }
    }
  return { data, polar }
}
