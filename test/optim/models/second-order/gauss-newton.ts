// Gauss-Newton directions from the damped normal equations, and residuals that make any positive Hessian a Gauss-Newton matrix.
import type { Residuals, ResidualsAt } from '../../../../lib/optim/index.js'
import { eigen } from '../../dense64.js'
import type { Oracle } from '../../oracle.js'
import type { GroupModel } from '../model.js'
import { dot, flatModel, flatten, split, sum } from './flat.js'
import { denseHessian } from './newton.js'

const shapesOf = (values: readonly { readonly length: number }[]) => values.map(({ length }) => [length])

/** Eigenvalues above rounding, their eigenvectors, and the gradient along these. */
function modes(oracle: Oracle, values: readonly Float32Array[]) {
  const flat = flatten(values)
  const n = flat.length
  const { values: lambda, vectors } = eigen(denseHessian(oracle.hessianVector, shapesOf(values), flat))
  const gradient = flatten(oracle.gradient(values))
  const largest = Math.max(...lambda)
  return lambda
    .map((value, l) => ({ value, vector: Array.from({ length: n }, (_, i) => vectors.data[i * n + l]!) }))
    .filter(({ value }) => value > 1e-6 * largest)
    .map((mode) => ({ ...mode, along: dot(gradient, mode.vector) }))
}

/** Rows of a Jacobian, cut by parameter. */
function cut(rows: readonly number[][], values: readonly Float32Array[]): Float32Array[] {
  const parts = rows.map((row) => split(row, values))
  return values.map((_, index) => Float32Array.from(parts.flatMap((part) => part[index]!)))
}

/** One output an example, as many examples as modes: J = sqrt(b lambda) V^T, r = sqrt(b / lambda) V^T g. */
export function leastSquaresResiduals(oracle: Oracle): ResidualsAt {
  return (values): Residuals => {
    const list = modes(oracle, values)
    const batch = list.length
    return {
      batch,
      residual: Float32Array.from(list, ({ value, along }) => Math.sqrt(batch / value) * along),
      jacobian: cut(
        list.map(({ value, vector }) => vector.map((entry) => Math.sqrt(batch * value) * entry)),
        values,
      ),
    }
  }
}

/** One example with as many outputs as modes: J = V^T, r = V^T g, Q = diag(lambda). */
export function hessianResiduals(oracle: Oracle): ResidualsAt {
  return (values): Residuals => {
    const list = modes(oracle, values)
    const c = list.length
    const hessian = new Float32Array(c * c)
    list.forEach(({ value }, i) => {
      hessian[i * c + i] = value
    })
    return {
      batch: 1,
      residual: Float32Array.from(list, ({ along }) => along),
      jacobian: cut(
        list.map(({ vector }) => vector),
        values,
      ),
      hessian,
    }
  }
}

export interface GaussNewtonModelOptions {
  readonly oracle: Oracle
  readonly damping: number
  readonly momentum: number
  /** Armijo's search with 6 trials, and lambda by the reduction ratio. */
  readonly isSearched?: boolean
}

export function gaussNewtonModel({
  oracle,
  damping,
  momentum,
  isSearched = false,
}: GaussNewtonModelOptions): GroupModel {
  return flatModel((n, shapes) => {
    let lambda = damping
    let ball = new Array<number>(n).fill(0)
    const like = shapes.map((shape) => ({ length: shape.reduce((product, dimension) => product * dimension, 1) }))
    const loss = (values: number[]) => oracle.loss(split(values, like))
    return (gradient, values, { lr }) => {
      const hessian = denseHessian(oracle.hessianVector, shapes, values)
      const { values: eigenvalues, vectors } = eigen(hessian)
      const own = flatten(oracle.gradient(split(values, like)))
      const column = (l: number) => values.map((_, i) => vectors.data[i * n + l]!)
      const newton = eigenvalues.reduce<number[]>(
        (total, value, l) => sum(1, total, dot(own, column(l)) / (value + lambda), column(l)),
        values.map(() => 0),
      )
      ball = sum(momentum, ball, 1, newton)
      if (dot(gradient, ball) <= 0) ball = newton
      if (!isSearched) return ball
      const direction = ball
      const start = loss(values)
      const slope = -lr * dot(gradient, direction)
      let step = 1
      let trials = 6
      while (trials > 0 && loss(sum(1, values, -lr * step, direction)) > start + 1e-4 * step * slope) {
        step /= 2
        trials--
      }
      if (trials === 0) step = 0
      const move = direction.map((value) => -lr * step * value)
      const curved = values.map((_, i) => dot(Array.from(hessian.data.subarray(i * n, (i + 1) * n)), move))
      const ratio = step === 0 ? 0 : (start - loss(sum(1, values, 1, move))) / -(step * slope + 0.5 * dot(move, curved))
      if (ratio > 0.75) lambda /= 1.5
      else if (!(ratio >= 0.25)) lambda *= 1.5
      return direction.map((value) => step * value)
    }
  })
}
