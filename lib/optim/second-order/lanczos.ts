import type { Device } from '../../device.js'
import { eigh } from '../../linalg/eigh.js'
import { matmul } from '../../linalg/matmul.js'
import type { Tensor } from '../../tensor.js'
import type { GroupSpace, GroupVector } from './group-space.js'
import type { HessianOperator } from './hessian-operator.js'

/** Room for the Lanczos vectors of a group. */
export interface KrylovSpace {
  readonly space: GroupSpace
  /** [k, n]: the Lanczos vectors, one a row. */
  readonly basis: { readonly matrix: Tensor; readonly vectors: readonly GroupVector[] }
  /** [1, n], for H v. */
  readonly row: { readonly matrix: Tensor; readonly vector: GroupVector }
}

/** A tridiagonal matrix: what a symmetric operator is on the Krylov space of a vector. */
export interface Tridiagonal {
  readonly diagonal: readonly number[]
  /** One shorter than the diagonal. */
  readonly offDiagonal: readonly number[]
  /** Norm of what the next vector would be: 0 where the space is invariant. */
  readonly remainder: number
}

/** Zeros for at most `steps` vectors, kept until the space is disposed of. */
export function krylovSpace(space: GroupSpace, steps: number): KrylovSpace {
  const { matrix, vectors } = space.rows(1)
  return { space, basis: space.rows(Math.min(steps, space.size)), row: { matrix, vector: vectors[0]! } }
}

/**
 * Lanczos' iteration with full reorthogonalization: from the first vector v_1 of the basis, of norm 1, for j = 1, 2, ..., k
 *
 *     w = H v_j,   alpha_j = w . v_j,   w <- w - V^T V w  (twice),   beta_j = |w|,   v_(j+1) = w / beta_j
 *
 * Ends early where beta_j is at most `tolerance` times the largest element of T so far: then the space is taken for
 * invariant, and the eigenvalues of T are eigenvalues of H. Rows of the basis that are not reached must be zero. A step
 * makes a product with H and four calls of `matmul`.
 *
 * Source: Golub and Van Loan, Matrix Computations, 10.1 and 10.3.
 */
export function lanczos({ space, basis, row }: KrylovSpace, operator: HessianOperator, tolerance: number): Tridiagonal {
  const diagonal: number[] = []
  const offDiagonal: number[] = []
  let largest = 0
  for (let j = 0; ; j++) {
    operator(basis.vectors[j]!, row.vector)
    diagonal.push(orthogonalized(basis.matrix, row.matrix)[j]! + orthogonalized(basis.matrix, row.matrix)[j]!)
    const beta = Math.sqrt(space.dot(row.vector, row.vector))
    largest = Math.max(largest, Math.abs(diagonal[j]!), beta)
    if (beta <= tolerance * largest) return { diagonal, offDiagonal, remainder: 0 }
    if (j + 1 === basis.vectors.length) return { diagonal, offDiagonal, remainder: beta }
    offDiagonal.push(beta)
    space.scale(1 / beta, row.vector, basis.vectors[j + 1]!)
  }
}

/** Takes from a row its components along the basis, and returns them. */
function orthogonalized(basis: Tensor, row: Tensor): Float32Array {
  using components = matmul(row, basis, { transposeB: true })
  matmul(components, basis, { alpha: -1, beta: 1, out: row })
  return components.data() as Float32Array
}

/** Eigenvalues of T, ascending, and its eigenvectors in the columns of a row-major matrix, by `eigh` in fp64. */
export function tridiagonalEigen(
  device: Device,
  { diagonal, offDiagonal }: Tridiagonal,
): { readonly values: readonly number[]; readonly vectors: ArrayLike<number> } {
  const k = diagonal.length
  const t = new Float64Array(k * k)
  diagonal.forEach((value, i) => {
    t[i * k + i] = value
  })
  offDiagonal.forEach((value, i) => {
    t[i * k + i + 1] = value
    t[(i + 1) * k + i] = value
  })
  using matrix = device.tensor(t, [k, k])
  const { values, vectors } = eigh(matrix, { onFailure: 'throw' })
  try {
    return { values: Array.from(values.data()), vectors: vectors!.data() }
  } finally {
    values.dispose()
    vectors!.dispose()
  }
}
