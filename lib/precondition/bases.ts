// Eigenbases of Kronecker factors: how they are found, how blocks are turned into them and back, and how moments that live
// in one basis are carried over to the next.
import { eigh } from '../linalg/eigh.js'
import { kronApply } from '../linalg/kron-apply.js'
import { kronSquares } from '../linalg/kron-solve.js'
import { matmul } from '../linalg/matmul.js'
import { modeProduct } from '../linalg/mode-product.js'
import type { Tensor } from '../tensor.js'
import { copyAll, withViews } from './arrays.js'
import type { BucketFactors, Factor } from './factors.js'
import type { Transport } from './refresher.js'
import type { Solver } from './solver.js'

/**
 * How a basis that is no longer good enough is brought up to date: `iterate`, one step of orthogonal iteration, Q <- qr(A Q), or
 * `decompose`, its eigenvectors.
 */
export type BasisUpdate = 'iterate' | 'decompose'

/** Eigenbases of factors; a basis of zeros, before the first refresh, is decomposed. Eigenvalues ascending. */
export function basisSolver(update: BasisUpdate, tolerance: (step: number) => number): Solver {
  return {
    isSingle: true,
    solve: (_, statistics, solved, step) => {
      const [count, n] = statistics.shape as [number, number]
      const options = (values: Tensor) => ({
        refresh: { otherwise: update, basis: solved, tolerance: tolerance(step) },
        out: { values },
        onFailure: 'keep' as const,
      })
      return {
        now: () => {
          using values = statistics.device.empty([count, n])
          return eigh(statistics, options(values)).report
        },
        later: async () => {
          using values = statistics.device.empty([count, n])
          return (await eigh.async(statistics, options(values))).report
        },
      }
    },
  }
}

/** Z = X x_1 Q_1^T ... x_k Q_k^T for all blocks of a bucket; X and Z [blocks, ...]. */
export function intoBases(group: BucketFactors, x: Tensor, out: Tensor): void {
  rotate(group, x, out, true)
}

/** X = Z x_1 Q_1 ... x_k Q_k. */
export function outOfBases(group: BucketFactors, z: Tensor, out: Tensor): void {
  rotate(group, z, out, false)
}

function rotate(group: BucketFactors, from: Tensor, out: Tensor, isInto: boolean): void {
  const bases = group.factors.map((factor) => factor?.solved ?? null)
  if (bases.every((basis) => basis === null)) copyAll(from.device, [{ from, to: out }])
  else if (bases.length > 2) modeProduct(from, bases, { transpose: bases.map(() => isInto), out })
  else kronApply(bases[0]!, from, bases[1] ?? null, { transposeA: isInto, transposeB: !isInto, out })
}

/** What lives in the eigenbases of a bucket: tensors [blocks, ...] of numbers, or of their squares. */
export interface InBases {
  readonly numbers: readonly Tensor[]
  readonly squares: readonly Tensor[]
}

/**
 * Carries what lives in a basis Q over to a basis P, with O = Q^T P the cosines between them:
 *
 *     numbers  M <- M x_i O^T             the same tensor, seen from the other basis
 *     squares  V <- V x_i (O o O)^T       what the second moment becomes if the coordinates are uncorrelated
 *
 * A column that only moves to another place or changes its sign takes its moment along exactly; a column that turns mixes the
 * moments of those it comes from, with weights that sum to one.
 */
export function transport(contents: (group: BucketFactors) => InBases): Transport {
  return (group, factor, run, fresh) => {
    const { numbers, squares } = contents(group)
    withViews((views) => {
      using cosines = matmul(views.matrices(factor.solved, run), fresh, { transposeA: true })
      using squared = cosines.device.empty(cosines.shape)
      kronSquares(cosines, null, null, { into: squared, beta: 0, weight: 1 })
      for (const tensor of numbers) turn(factor, views.matrices(tensor, run), cosines)
      for (const tensor of squares) turn(factor, views.matrices(tensor, run), squared)
    })
  }
}

/** X <- X x_i A^T along the dimension of the factor. */
function turn({ dimension }: Factor, x: Tensor, a: Tensor): void {
  const order = x.shape.length - 1
  if (order === 2) {
    using turned = dimension === 0 ? kronApply(a, x, null, { transposeA: true }) : kronApply(null, x, a)
    copyAll(x.device, [{ from: turned, to: x }])
    return
  }
  const factors = Array.from({ length: order }, (_, index) => (index === dimension ? a : null))
  using turned = modeProduct(x, factors, { transpose: factors.map(() => true) })
  copyAll(x.device, [{ from: turned, to: x }])
}
