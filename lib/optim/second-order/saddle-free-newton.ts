import { checkFields } from '../../errors.js'
import { matmul } from '../../linalg/matmul.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn } from '../../schedule/validate.js'
import { callback, type HessianVector } from '../oracle.js'
import type { Rule } from '../rule.js'
import { groupPlan } from './group-plan.js'
import { GroupSpace, type GroupVector } from './group-space.js'
import { type HessianOperator, hessianOperator } from './hessian-operator.js'
import { type KrylovSpace, krylovSpace, lanczos, type Tridiagonal, tridiagonalEigen } from './lanczos.js'

/** Options of {@link saddleFreeNewton}. */
export interface SaddleFreeNewtonOptions {
  /** The Hessian times vectors. */
  readonly hessianVector: HessianVector
  /** Dimension k of the Krylov space, and products of a step, >= 1. Default 10. */
  readonly vectors?: number
  /** lambda > 0, added to the magnitudes of the eigenvalues. Default 0.01. */
  readonly damping?: Schedule
}

/** State of {@link saddleFreeNewton}: nothing is kept from step to step. `row` is also for the direction. */
export interface SaddleFreeNewtonState extends KrylovSpace {
  readonly gradient: GroupVector
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
      return { ...krylovSpace(space, vectors), gradient: space.vector() }
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

/** sqrt(ulp): a vector that short next to the largest element of T is rounding. */
const ROUNDING = 3e-4

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
  const t = lanczos(state, operator, ROUNDING)
  const weights = absoluteInverse(space, t, damping).map((weight) => norm * weight)
  const padded = Float32Array.from(basis.vectors, (_, index) => weights[index] ?? 0)
  using coefficients = space.device.tensor(padded, [1, padded.length])
  matmul(coefficients, basis.matrix, { out: row.matrix })
}

/** First column of (|T| + damping)^{-1} of a symmetric tridiagonal T. */
function absoluteInverse({ device }: GroupSpace, t: Tridiagonal, damping: number): readonly number[] {
  const { values, vectors } = tridiagonalEigen(device, t)
  const k = values.length
  return values.map((_, i) =>
    values.reduce((sum, value, l) => sum + (vectors[i * k + l]! * vectors[l]!) / (Math.abs(value) + damping), 0),
  )
}
