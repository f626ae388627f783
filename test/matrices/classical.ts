// Matrices from the literature with their own trouble.
import { ascending, type DType, diagonal, rounded, symmetric, type ZooMatrix } from './matrix.js'

/** |m|, m-1, ..., 0, ..., m on the diagonal and ones beside it: pairs of eigenvalues equal to many digits. */
export function wilkinson(n: number, dtype: DType): ZooMatrix {
  const half = (n - 1) / 2
  const data = symmetric(n, (i, j) => (i === j ? Math.abs(i - half) : i === j + 1 ? 1 : 0))
  return rounded({ name: 'wilkinson', n, data }, dtype)
}

/** Wilkinson blocks of order 21 joined by `glue` (Demmel, Marques, Parlett, Voemel 2008): clusters of many. */
export function gluedWilkinson(n: number, glue: number, dtype: DType): ZooMatrix {
  const block = 21
  const data = symmetric(n, (i, j) => {
    if (i === j) return Math.abs((i % block) - (block - 1) / 2)
    if (i !== j + 1) return 0
    return i % block === 0 ? glue : 1
  })
  return rounded({ name: `glued wilkinson ${glue.toExponential(0)}`, n, data }, dtype)
}

/** 1 / (i + j + 1): eigenvalues fall off exponentially. */
export function hilbert(n: number, dtype: DType): ZooMatrix {
  return rounded({ name: 'hilbert', n, data: symmetric(n, (i, j) => 1 / (i + j + 1)) }, dtype)
}

/** Second difference (-1, 2, -1): eigenvalues 2 - 2 cos(k pi / (n + 1)). */
export function laplacian(n: number, dtype: DType): ZooMatrix {
  const data = symmetric(n, (i, j) => (i === j ? 2 : i === j + 1 ? -1 : 0))
  const spectrum = Float64Array.from({ length: n }, (_, k) => 4 * Math.sin(((k + 1) * Math.PI) / (2 * (n + 1))) ** 2)
  return rounded({ name: 'laplacian', n, data, spectrum }, dtype)
}

/** min(i, j) + 1, the inverse of a tridiagonal matrix. */
export function minij(n: number, dtype: DType): ZooMatrix {
  return rounded({ name: 'minij', n, data: symmetric(n, (_, j) => j + 1) }, dtype)
}

export function zero(n: number): ZooMatrix {
  return { name: 'zero', n, data: new Float64Array(n * n), spectrum: new Float64Array(n) }
}

export function identity(n: number, factor = 1): ZooMatrix {
  const spectrum = new Float64Array(n).fill(factor)
  return { name: factor === 1 ? 'identity' : `${factor} identity`, n, data: diagonal(spectrum), spectrum }
}

/** Zero diagonal, ones elsewhere (JAX's test): eigenvalues -1 and n - 1. */
export function zeroDiagonal(n: number): ZooMatrix {
  const spectrum = ascending(Array.from({ length: n }, (_, i) => (i === n - 1 ? n - 1 : -1)))
  return { name: 'zero diagonal', n, data: symmetric(n, (i, j) => (i === j ? 0 : 1)), spectrum }
}
