import { combine, frobenius, type Matrix, matrix, multiply, transpose } from '../dense64.js'
import type { GroupModel, Model } from './model.js'

/** Orthonormal columns by Gram-Schmidt, twice, with positive coefficients on themselves. */
function orthonormal(a: Matrix): Matrix {
  const columns = transpose(a)
  for (let j = 0; j < columns.rows; j++) {
    const own = columns.data.subarray(j * columns.columns, (j + 1) * columns.columns)
    for (let pass = 0; pass < 2; pass++) {
      for (let k = 0; k < j; k++) {
        const other = columns.data.subarray(k * columns.columns, (k + 1) * columns.columns)
        const overlap = own.reduce((sum, value, i) => sum + value * other[i]!, 0)
        own.forEach((_, i) => {
          own[i]! -= overlap * other[i]!
        })
      }
    }
    const length = frobenius(own)
    own.forEach((_, i) => {
      own[i]! /= length
    })
  }
  return transpose(columns)
}

export interface DionModelOptions {
  readonly momentum: number
  readonly outputs?: 'first' | 'last'
  readonly rank: (shorter: number) => number
  readonly epsilon: number
  /** The Q that the iteration starts from, [inputs, rank], of parameter `index`. */
  readonly start: (index: number, inputs: number, rank: number) => ArrayLike<number>
}

export function dionModel({ momentum, outputs = 'first', rank, epsilon, start }: DionModelOptions): GroupModel {
  const one =
    (index: number): Model =>
    (shape) => {
      const total = shape.reduce((product, dimension) => product * dimension, 1)
      const rows = outputs === 'first' ? shape[0]! : total / shape[shape.length - 1]!
      const turned = (a: Matrix) => (outputs === 'first' ? a : transpose(a))
      let m = turned(matrix(rows, total / rows))
      const r = rank(Math.min(m.rows, m.columns))
      let q = matrix(m.columns, r, start(index, m.columns, r))
      return (gradient) => {
        const b = combine(1, m, 1, turned(matrix(rows, total / rows, gradient)))
        const p = orthonormal(multiply(b, q))
        const image = multiply(transpose(b), p)
        m = combine(1, b, momentum - 1, multiply(p, transpose(image)))
        const largest = image.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
        q = matrix(image.rows, r, image.data)
        for (let j = 0; j < r; j++) {
          const column = Array.from({ length: q.rows }, (_, i) => image.data[i * r + j]! / largest)
          const length = frobenius(column) + epsilon
          column.forEach((value, i) => {
            q.data[i * r + j] = value / length
          })
        }
        const update = multiply(p, transpose(q))
        return Array.from(turned(combine(Math.sqrt(b.rows / b.columns), update, 0, update)).data)
      }
    }
  return (shapes) => {
    const models = shapes.map((shape, index) => one(index)(shape))
    return (gradients, values, context) =>
      models.map((model, index) => model(gradients[index]!, values[index]!, context))
  }
}
