import { frobenius, matrix, polarFactor } from '../dense64.js'
import type { GroupModel } from './model.js'

export interface ModularModelOptions {
  /** Family and s of each parameter. */
  readonly parameters: readonly { readonly family: 'linear' | 'embedding' | 'vector'; readonly scale: number }[]
  readonly momentum: number
  readonly isUnit?: boolean
}

/** Theorem of the modular norm, parameter by parameter: T, its dual norm <G, T>, then eta. */
export function modularModel({ parameters, momentum, isUnit = false }: ModularModelOptions): GroupModel {
  return (shapes) => {
    const averages = shapes.map((shape) =>
      new Array<number>(shape.reduce((product, dimension) => product * dimension, 1)).fill(0),
    )
    return (gradients) => {
      gradients.forEach((gradient, p) => {
        averages[p] = averages[p]!.map((m, i) => momentum * m + (1 - momentum) * gradient[i]!)
      })
      const steepest = averages.map((g, p) => argmax(parameters[p]!.family, g, shapes[p]!))
      const eta = steepest.reduce((sum, t, p) => {
        const dual = t.reduce((inner, value, i) => inner + value * averages[p]![i]!, 0)
        return sum + dual / parameters[p]!.scale
      }, 0)
      return steepest.map((t, p) => t.map((value) => ((isUnit ? 1 : eta) / parameters[p]!.scale) * value))
    }
  }
}

function argmax(family: 'linear' | 'embedding' | 'vector', g: readonly number[], shape: readonly number[]): number[] {
  if (family === 'vector') return g.map(Math.sign)
  const rows = shape[0]!
  const columns = g.length / rows
  if (family === 'linear') {
    const factor = Math.sqrt(rows / columns)
    return Array.from(polarFactor(matrix(rows, columns, g)).data, (value) => factor * value)
  }
  return Array.from({ length: rows }, (_, i) => g.slice(i * columns, (i + 1) * columns)).flatMap((row) =>
    row.map((value) => (Math.sqrt(columns) * value) / frobenius(row)),
  )
}
