// Inverse-free factors C and K of one parameter, as matrices, the diagonal ones too.
import { combine, frobenius, identity, type Matrix, matrix, multiply, transpose } from '../../dense64.js'
import type { Model } from '../model.js'

export interface SingdModelOptions {
  readonly isDense: boolean
  readonly rate: number
  readonly decay: number
  readonly damping: number
  readonly momentum: number
  readonly every?: number
}

const averageTrace = (a: Matrix) => frobenius(a.data) ** 2 / a.rows

export function singdModel({ isDense, rate, decay, damping, momentum, every = 1 }: SingdModelOptions): Model {
  return (shape) => {
    const squeezed = shape.filter((dimension) => dimension !== 1)
    const rows = squeezed[0] ?? 1
    const n = shape.reduce((product, dimension) => product * dimension, 1)
    const columns = n / rows
    const hasRight = squeezed.length > 1
    const structured = (a: Matrix) =>
      isDense
        ? a
        : matrix(
            a.rows,
            a.rows,
            a.data.map((value, i) => (i % (a.rows + 1) === 0 ? value : 0)),
          )
    let c = identity(rows)
    let k = identity(columns)
    let mc = matrix(rows, rows)
    let mk = matrix(columns, columns)
    let ball = new Array<number>(n).fill(0)
    let t = 0
    const moved = (m: Matrix, factor: Matrix) => {
      const beta = Math.min(rate, 0.5 / frobenius(m.data))
      return combine(1, factor, -beta, multiply(factor, m))
    }
    const next = (m: Matrix, second: Matrix, own: Matrix, other: number) => {
      const target = combine(1, second, damping * other, multiply(transpose(own), own))
      return structured(combine(decay, m, 0.5, combine(1, target, -1, identity(m.rows))))
    }
    return (gradient) => {
      const g = matrix(rows, columns, gradient)
      if (t++ % every === 0) {
        const x = multiply(multiply(transpose(c), g), k)
        const [traceC, traceK] = [averageTrace(c), hasRight ? averageTrace(k) : 1]
        mc = next(mc, combine(1 / columns, multiply(x, transpose(x)), 0, mc), c, traceK)
        mk = next(mk, combine(1 / rows, multiply(transpose(x), x), 0, mk), k, traceC)
        c = moved(mc, c)
        if (hasRight) k = moved(mk, k)
      }
      const direction = multiply(multiply(multiply(c, transpose(c)), g), multiply(k, transpose(k)))
      ball = ball.map((value, i) => momentum * value + direction.data[i]!)
      return ball
    }
  }
}
