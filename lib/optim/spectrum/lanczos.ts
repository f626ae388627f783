import type { Device } from '../../device.js'
import { reduce } from '../../linalg/reduce.js'
import { updateAll } from '../elementwise.js'
import type { Arrays } from '../oracle.js'

/** A tridiagonal matrix: what a symmetric operator is on the Krylov space of a vector. */
export interface Tridiagonal {
  readonly diagonal: readonly number[]
  /** One shorter than the diagonal. */
  readonly offDiagonal: readonly number[]
  /** Norm of what the next vector would be: 0 where the space is invariant. */
  readonly remainder: number
}

/**
 * Lanczos' iteration with full reorthogonalization: from a vector v_1 of norm 1, for j = 1, 2, ..., k
 *
 *     w = H v_j,   alpha_j = w . v_j,   w <- w - sum_i (w . v_i) v_i  (twice),   beta_j = |w|,   v_(j+1) = w / beta_j
 *
 * Ends early where beta_j is rounding error of H v_j: then the space is invariant and the eigenvalues of T are eigenvalues.
 * Vectors are fp32 and kept, k of the size of the problem; dots are summed in fp64.
 *
 * Source: Golub and Van Loan, Matrix Computations, 10.1 and 10.3.
 */
export function lanczos(device: Device, apply: (vector: Arrays) => Arrays, start: Arrays, steps: number): Tridiagonal {
  const basis: Arrays[] = [scaled(device, start, 1 / Math.sqrt(dot(device, start, start)))]
  const diagonal: number[] = []
  const offDiagonal: number[] = []
  for (;;) {
    const last = basis[basis.length - 1]!
    const next = apply(last).map((array) => array.slice())
    const length = Math.sqrt(dot(device, next, next))
    diagonal.push(dot(device, next, last))
    orthogonalize(device, next, basis)
    orthogonalize(device, next, basis)
    const remainder = Math.sqrt(dot(device, next, next))
    const isInvariant = remainder <= 16 * 2 ** -23 * length
    if (isInvariant || diagonal.length === steps) {
      return { diagonal, offDiagonal, remainder: isInvariant ? 0 : remainder }
    }
    offDiagonal.push(remainder)
    basis.push(scaled(device, next, 1 / remainder))
  }
}

/** Takes the parts along the vectors of the basis off `vector`. */
function orthogonalize(device: Device, vector: Arrays, basis: readonly Arrays[]): void {
  const pairs = basis.flatMap((other) => other.map((x, index) => ({ x, y: vector[index]! })))
  const dots = reduce(device, 'dot', pairs)
  basis.forEach((other, j) => {
    let along = 0
    for (let index = 0; index < other.length; index++) along += dots[j * other.length + index]!
    const entries = vector.map((array, index) => {
      return { gradient: other[index]!, m: array, direction: array, fromGradient: -along, fromM: 1 }
    })
    updateAll(device, 'combine', entries)
  })
}

function dot(device: Device, a: Arrays, b: Arrays): number {
  const dots = reduce(
    device,
    'dot',
    a.map((x, index) => ({ x, y: b[index]! })),
  )
  return dots.reduce((sum, value) => sum + value, 0)
}

function scaled(device: Device, vector: Arrays, factor: number): Arrays {
  const result = vector.map((array) => new Float32Array(array.length))
  const entries = vector.map((gradient, index) => ({ gradient, direction: result[index]!, fromGradient: factor }))
  updateAll(device, 'combine', entries)
  return result
}
