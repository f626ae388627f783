import type { Device } from '../../device.js'
import { checkFields } from '../../errors.js'
import { numberIn, optionError } from '../../schedule/validate.js'
import { normalNoise } from '../noise.js'
import { type Arrays, answered, type HessianVector } from '../oracle.js'
import { GroupSpace, hostParts } from '../second-order/group-space.js'
import type { HessianOperator } from '../second-order/hessian-operator.js'
import { type KrylovSpace, krylovSpace, lanczos, type Tridiagonal, tridiagonalEigen } from '../second-order/lanczos.js'

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
  const space = new GroupSpace(
    values.map(({ length }, index) => ({ name: `${index}`, shape: [length] })),
    device,
  )
  try {
    const krylov = krylovSpace(space, steps)
    const operator: HessianOperator = (x, into) => {
      const vectors = hostParts(x)
      space.gather(answered(owner, 'hessianVector', hessianVector(vectors, values), vectors), into)
    }
    return spectrumOf(
      Array.from({ length: probes }, (_, probe) => {
        start(krylov, `${seed} ${probe}`)
        return quadrature(device, lanczos(krylov, operator, ROUNDING))
      }),
    )
  } finally {
    space.dispose()
  }
}

/** A few ulp of fp32: what is left of a product that lies in the space. */
const ROUNDING = 16 * 2 ** -23

/** A random unit vector as the first of the basis, zeros as the others. */
function start({ space, basis, row }: KrylovSpace, key: string): void {
  for (const vector of basis.vectors) space.clear(vector)
  const noise = space.parameters.map(({ name, shape }) => normalNoise(`${key} ${name}`, shape[0]!))
  space.gather(noise, row.vector)
  space.scale(1 / Math.sqrt(space.dot(row.vector, row.vector)), row.vector, basis.vectors[0]!)
}

/** The probes together. */
function spectrumOf(found: readonly Quadrature[]): Spectrum {
  const probes = found.length
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
function quadrature(device: Device, t: Tridiagonal): Quadrature {
  const { values, vectors } = tridiagonalEigen(device, t)
  const k = values.length
  return {
    nodes: values,
    weights: values.map((_, l) => vectors[l]! ** 2),
    largestError: t.remainder * Math.abs(vectors[k * k - 1]!),
  }
}
