import type { Device } from '../../device.js'
import { checkFields } from '../../errors.js'
import { eigh } from '../../linalg/eigh.js'
import { numberIn, optionError } from '../../schedule/validate.js'
import { normalNoise } from '../noise.js'
import { type Arrays, answered, type HessianVector } from '../oracle.js'
import { lanczos, type Tridiagonal } from './lanczos.js'

/** Options of {@link hessianSpectrum}. */
export interface SpectrumOptions {
  /** Hessian (or Gauss-Newton matrix) of the loss of a batch at `values`, times vectors. */
  readonly hessianVector: HessianVector
  /** Where: the values of the parameters. */
  readonly values: Arrays
  /** Lanczos steps k a probe, an integer >= 1: products with the Hessian, and vectors kept. Default 30. */
  readonly steps?: number
  /** Random start vectors, an integer >= 1. Default 1, enough for networks of a million parameters. */
  readonly probes?: number
  /** Of the start vectors: an integer. Default 0. */
  readonly seed?: number
}

/** What Lanczos has seen of a spectrum. */
export interface Spectrum {
  /** Largest and smallest eigenvalue found. */
  readonly largest: number
  readonly smallest: number
  /** An eigenvalue lies within this distance of `largest`. */
  readonly largestError: number
  /** Nodes of the density, ascending, and their weights, which add up to 1: mean of f over the eigenvalues ~ sum w f. */
  readonly nodes: readonly number[]
  readonly weights: readonly number[]
}

/**
 * Spectrum of a Hessian by stochastic Lanczos quadrature: k Lanczos steps from a random vector give a tridiagonal T = S diag
 * (theta) S^T; theta_i is a node of the spectral density with weight S_1i^2, averaged over probes, and exact for polynomials
 * up to degree 2 k - 1 of the probe's own measure. The outermost nodes converge first, to the extreme eigenvalues; the
 * error of the largest is at most the remainder times |S_ki|.
 *
 * Costs k products a probe, and k vectors of the size of the parameters. T is decomposed by `eigh` in fp64.
 *
 * Source: Ubaru, Chen and Saad, SIAM J. Matrix Anal. Appl. 38 (2017); for networks Ghorbani et al., arXiv 1901.10159.
 */
export function hessianSpectrum(device: Device, options: SpectrumOptions): Spectrum {
  const owner = 'hessianSpectrum'
  checkFields(owner, options, ['hessianVector', 'values', 'steps', 'probes', 'seed'])
  const { hessianVector, values } = options
  if (typeof hessianVector !== 'function') {
    throw optionError(owner, 'hessianVector', hessianVector, 'a function from vectors and values to products')
  }
  if (!Array.isArray(values) || !values.every((array) => array instanceof Float32Array)) {
    throw optionError(owner, 'values', values, 'a list of Float32Arrays')
  }
  const dimension = (values as Arrays).reduce((sum, { length }) => sum + length, 0)
  if (dimension === 0) throw optionError(owner, 'values', values, 'a list with at least one number')
  const steps = Math.min(numberIn(owner, 'steps', options.steps ?? 30, { min: 1, integer: true }), dimension)
  const probes = numberIn(owner, 'probes', options.probes ?? 1, { min: 1, integer: true })
  const seed = numberIn(owner, 'seed', options.seed ?? 0, { integer: true })
  const apply = (vector: Arrays) => answered(owner, 'hessianVector', hessianVector(vector, values), vector)
  const found = Array.from({ length: probes }, (_, probe) => {
    const start = values.map((array, index) => normalNoise(`${seed} ${probe} ${index}`, array.length))
    return quadrature(device, lanczos(device, apply, start, steps))
  })
  const points = found.flatMap(({ nodes, weights }) => nodes.map((node, i) => ({ node, weight: weights[i]! / probes })))
  points.sort((a, b) => a.node - b.node)
  const best = found.reduce((a, b) => (b.nodes[b.nodes.length - 1]! > a.nodes[a.nodes.length - 1]! ? b : a))
  return {
    largest: points[points.length - 1]!.node,
    smallest: points[0]!.node,
    largestError: best.largestError,
    nodes: points.map(({ node }) => node),
    weights: points.map(({ weight }) => weight),
  }
}

interface Quadrature {
  readonly nodes: readonly number[]
  readonly weights: readonly number[]
  readonly largestError: number
}

/** Eigenvalues of T and the squares of the first elements of its eigenvectors. */
function quadrature(device: Device, { diagonal, offDiagonal, remainder }: Tridiagonal): Quadrature {
  const size = diagonal.length
  const dense = new Float64Array(size * size)
  diagonal.forEach((value, i) => {
    dense[i * size + i] = value
  })
  offDiagonal.forEach((value, i) => {
    dense[i * size + i + 1] = value
    dense[(i + 1) * size + i] = value
  })
  const matrix = device.tensor(dense, [size, size])
  const { values, vectors } = eigh(matrix)
  try {
    const columns = vectors!.data()
    return {
      nodes: Array.from(values.data()),
      weights: Array.from(columns.slice(0, size), (first) => first ** 2),
      largestError: remainder * Math.abs(columns[size * size - 1]!),
    }
  } finally {
    for (const tensor of [matrix, values, vectors!]) tensor.dispose()
  }
}
