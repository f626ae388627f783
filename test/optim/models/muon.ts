import { combine, frobenius, type Matrix, matrix, multiply, polarFactor, transpose } from '../dense64.js'
import type { Model } from './model.js'

/** Five Newton-Schulz steps with Muon's coefficients, from A / |A|_F. */
function newtonSchulz(a: Matrix): Matrix {
  if (a.rows > a.columns) return transpose(newtonSchulz(transpose(a)))
  let x = combine(1 / frobenius(a.data), a, 0, a)
  for (let step = 0; step < 5; step++) {
    const gram = multiply(x, transpose(x))
    const polynomial = combine(-4.775, gram, 2.0315, multiply(gram, gram))
    x = combine(3.4445, x, 1, multiply(polynomial, x))
  }
  return x
}

export interface MuonModelOptions {
  readonly momentum: number
  readonly nesterov: boolean
  readonly isExact: boolean
  /** Rows and columns of the flattened weight. */
  readonly flatten: (shape: readonly number[]) => readonly [number, number]
  readonly scale: (rows: number, columns: number) => number
}

export function muonModel({ momentum, nesterov, isExact, flatten, scale }: MuonModelOptions): Model {
  return (shape) => {
    const [rows, columns] = flatten(shape)
    let m = matrix(rows, columns)
    return (gradient) => {
      const g = matrix(rows, columns, gradient)
      // Heavy ball on purpose: lib/ averages, which must make no difference.
      m = combine(momentum, m, 1, g)
      const b = nesterov ? combine(1, g, momentum, m) : m
      return Array.from((isExact ? polarFactor(b) : newtonSchulz(b)).data, (value) => scale(rows, columns) * value)
    }
  }
}
