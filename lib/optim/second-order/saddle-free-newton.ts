import { checkFields } from '../../errors.js'
import { eigh } from '../../linalg/eigh.js'
import { matmul } from '../../linalg/matmul.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn } from '../../schedule/validate.js'
import type { Tensor } from '../../tensor.js'
import { callback, type HessianVector } from '../oracle.js'
import type { Rule } from '../rule.js'
import { groupPlan } from './group-plan.js'
import { GroupSpace, type GroupVector } from './group-space.js'
import { type HessianOperator, hessianOperator } from './hessian-operator.js'

/** Options of {@link saddleFreeNewton}. */
export interface SaddleFreeNewtonOptions {
  /** The Hessian times vectors. */
  readonly hessianVector: HessianVector
  /** Dimension k of the Krylov space, and products of a step, >= 1. Default 10. */
  readonly vectors?: number
  /** lambda > 0, added to the magnitudes of the eigenvalues. Default 0.01. */
  readonly damping?: Schedule
}

/** State of {@link saddleFreeNewton}: nothing is kept from step to step. */
export interface SaddleFreeNewtonState {
  readonly space: GroupSpace
  readonly gradient: GroupVector
  /** [k, n]: the Lanczos vectors, one a row. */
  readonly basis: { readonly matrix: Tensor; readonly vectors: readonly GroupVector[] }
  /** [1, n], for H v and for the direction. */
  readonly row: { readonly matrix: Tensor; readonly vector: GroupVector }
}

/**
 * Saddle-free Newton in the Krylov space of the gradient: with V the k Lanczos vectors of H from g / |g|, T = V H V^T = U diag(theta) U^T,
 *
 *     D = V^T U (|theta| + lambda)^{-1} U^T V g
 *
 * Directions of negative curvature are descended as fast as those of positive curvature, so that saddles repel. g is |g| times
 * the first Lanczos vector: nothing of it lies outside the space. Every new vector is orthogonalized twice against all others;
 * the space ends early where it is invariant.
 *
 * Couples all parameters of a group; those without a gradient stand still, and the others see the block of the Hessian that
 * is theirs. State: none (k + 2 numbers an element of scratch). A step: k products, 4 k matmul, one `eigh` of order k in f64.
 *
 * Source: Dauphin et al., arXiv 1406.2572 (saddle-free Newton in a Krylov subspace).
 */
export function saddleFreeNewton(options: SaddleFreeNewtonOptions): Rule<SaddleFreeNewtonState> {
  const owner = 'saddleFreeNewton'
  checkFields(owner, options, ['hessianVector', 'vectors', 'damping'])
  const hessianVector = callback(owner, 'hessianVector', options.hessianVector)
  const vectors = numberIn(owner, 'vectors', options.vectors ?? 10, { min: 1, integer: true })
  const damping = hyperparameter(owner, 'damping', options.damping ?? 0.01, { above: 0 })
  return {
    name: owner,
    needsValues: true,
    init: (parameters, device) => {
      const space = new GroupSpace(parameters, device)
      const { matrix, vectors: rows } = space.rows(1)
      return {
        space,
        gradient: space.vector(),
        basis: space.rows(Math.min(vectors, space.size)),
        row: { matrix, vector: rows[0]! },
      }
    },
    update: (gradients, state, context) =>
      context.clock.time('apply', () => {
        const { space, gradient, row } = state
        space.gather(gradients, gradient)
        const operator = hessianOperator(owner, space, hessianVector, gradients, context)
        descend(state, operator, damping(context.step))
        return space.directions(row.vector, gradients)
      }),
    describe: ({ space, basis }) => {
      const k = basis.vectors.length
      return groupPlan(owner, space, {
        flopsPerStep: 8 * k * k * space.size + 10 * k ** 3,
        matrix: { shape: [k, space.size], kernels: ['matmul x 4', 'eigh'], calls: 4 * k + 2 },
      })
    },
    slots: () => [],
    report: () => [],
    dispose: ({ space }) => space.dispose(),
  }
}

/** Leaves the direction in `row`. */
function descend(state: SaddleFreeNewtonState, operator: HessianOperator, damping: number): void {
  const { space, gradient, basis, row } = state
  const norm = Math.sqrt(space.dot(gradient, gradient))
  if (norm === 0) {
    space.clear(row.vector)
    return
  }
  for (const vector of basis.vectors) space.clear(vector)
  space.scale(1 / norm, gradient, basis.vectors[0]!)
  const { diagonal, offDiagonal } = lanczos(state, operator)
  const weights = absoluteInverse(space, diagonal, offDiagonal, damping).map((weight) => norm * weight)
  const padded = Float32Array.from(basis.vectors, (_, index) => weights[index] ?? 0)
  using coefficients = space.device.tensor(padded, [1, padded.length])
  matmul(coefficients, basis.matrix, { out: row.matrix })
}

/** Fills the basis from its first vector on. Below sqrt(ulp) of the largest element of T what is left is rounding. */
function lanczos({ space, basis, row }: SaddleFreeNewtonState, operator: HessianOperator) {
  const diagonal: number[] = []
  const offDiagonal: number[] = []
  let largest = 0
  for (let j = 0; j < basis.vectors.length; j++) {
    operator(basis.vectors[j]!, row.vector)
    diagonal.push(orthogonalized(basis.matrix, row.matrix)[j]! + orthogonalized(basis.matrix, row.matrix)[j]!)
    const beta = Math.sqrt(space.dot(row.vector, row.vector))
    largest = Math.max(largest, Math.abs(diagonal[j]!), beta)
    if (beta <= 3e-4 * largest || j + 1 === basis.vectors.length) break
    offDiagonal.push(beta)
    space.scale(1 / beta, row.vector, basis.vectors[j + 1]!)
  }
  return { diagonal, offDiagonal }
}

/** Takes from a row its components along the basis, and returns them. */
function orthogonalized(basis: Tensor, row: Tensor): Float32Array {
  using components = matmul(row, basis, { transposeB: true })
  matmul(components, basis, { alpha: -1, beta: 1, out: row })
  return components.data() as Float32Array
}

/** First column of (|T| + damping)^{-1} of a symmetric tridiagonal T. */
function absoluteInverse(
  { device }: GroupSpace,
  diagonal: readonly number[],
  offDiagonal: readonly number[],
  damping: number,
): readonly number[] {
  const k = diagonal.length
  const t = new Float64Array(k * k)
  diagonal.forEach((value, i) => {
    t[i * k + i] = value
  })
  offDiagonal.slice(0, k - 1).forEach((value, i) => {
    t[i * k + i + 1] = value
    t[(i + 1) * k + i] = value
  })
  using matrix = device.tensor(t, [k, k])
  const { values, vectors } = eigh(matrix, { onFailure: 'throw' })
  const [theta, u] = [Array.from(values.data()), vectors!.data()]
  values.dispose()
  vectors!.dispose()
  return diagonal.map((_, i) =>
    theta.reduce((sum, value, l) => sum + (u[i * k + l]! * u[l]!) / (Math.abs(value) + damping), 0),
  )
}
