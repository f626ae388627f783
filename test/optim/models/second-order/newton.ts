// Newton directions from the Hessian as a matrix, which is asked for column by column.
import { eigen, type Matrix, matrix } from '../../dense64.js'
import type { Values } from '../../oracle.js'
import type { GroupModel } from '../model.js'
import { flatModel, flatten, split } from './flat.js'

export interface NewtonModelOptions {
  readonly hessianVector: (vectors: Values, values?: Values) => number[][]
  readonly damping: number
}

/** The Hessian of a group of these shapes. */
export function denseHessian(
  hessianVector: NewtonModelOptions['hessianVector'],
  shapes: readonly (readonly number[])[],
  values: number[],
): Matrix {
  const like = shapes.map((shape) => ({ length: shape.reduce((product, dimension) => product * dimension, 1) }))
  const n = values.length
  const columns = values.map((_, j) =>
    flatten(
      hessianVector(
        split(
          values.map((_, i) => (i === j ? 1 : 0)),
          like,
        ),
        split(values, like),
      ),
    ),
  )
  return matrix(
    n,
    n,
    Array.from({ length: n * n }, (_, index) => columns[index % n]![Math.floor(index / n)]!),
  )
}

/** f(H) g, from the eigendecomposition. */
function spectralModel({ hessianVector }: NewtonModelOptions, f: (eigenvalue: number) => number): GroupModel {
  return flatModel((n, shapes) => {
    let known: ReturnType<typeof eigen> | undefined
    return (gradient, values) => {
      // The Hessian of the conformance problem is constant.
      known ??= eigen(denseHessian(hessianVector, shapes, values))
      const { values: lambda, vectors } = known
      const inside = lambda.map(
        (value, l) => f(value) * gradient.reduce((sum, g, i) => sum + g * vectors.data[i * n + l]!, 0),
      )
      return gradient.map((_, i) => inside.reduce((sum, weight, l) => sum + weight * vectors.data[i * n + l]!, 0))
    }
  })
}

export function newtonModel(options: NewtonModelOptions): GroupModel {
  return spectralModel(options, (value) => 1 / (value + options.damping))
}

export function saddleFreeModel(options: NewtonModelOptions): GroupModel {
  return spectralModel(options, (value) => 1 / (Math.abs(value) + options.damping))
}
