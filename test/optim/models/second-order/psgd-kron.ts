// PSGD's Kronecker whitening of one parameter, with every factor as a matrix, the diagonal ones too.
import { combine, frobenius, identity, type Matrix, matrix, multiply, transpose } from '../../dense64.js'
import type { Model } from '../model.js'

export interface PsgdKronModelOptions {
  readonly beta1: number
  readonly rate: number
  readonly maxSkew: number
  readonly maxRms: number
}

/** The largest |A x| / |x| before and after each of 4 steps of power iteration on A^T A, from the longest row. */
function lowerBound(a: Matrix): number {
  const rows = Array.from({ length: a.rows }, (_, i) => a.data.subarray(i * a.columns, (i + 1) * a.columns))
  let x = matrix(
    a.columns,
    1,
    rows.reduce((best, row) => (frobenius(row) > frobenius(best) ? row : best)),
  )
  let largest = 0
  for (let step = 0; step < 5 && frobenius(x.data) > 0; step++) {
    const y = multiply(a, x)
    largest = Math.max(largest, frobenius(y.data) / frobenius(x.data))
    x = multiply(transpose(a), y)
  }
  return largest
}

const trace = (a: Matrix) =>
  Array.from({ length: a.rows }, (_, i) => a.data[i * a.rows + i]!).reduce((s, v) => s + v, 0)
const diagonalOf = (a: Matrix) =>
  matrix(
    a.rows,
    a.rows,
    a.data.map((v, i) => (i % (a.rows + 1) === 0 ? v : 0)),
  )
const scaled = (s: number, a: Matrix) => combine(s, a, 0, a)

export function psgdKronModel({ beta1, rate, maxSkew, maxRms }: PsgdKronModelOptions): Model {
  return (shape) => {
    const squeezed = shape.filter((dimension) => dimension !== 1)
    const rows = squeezed[0] ?? 1
    const n = shape.reduce((product, dimension) => product * dimension, 1)
    const columns = n / rows
    const sides = (squeezed.length < 2 ? [rows] : [rows, columns]).map((size) => ({
      size,
      isDense: size * size <= maxSkew * n,
      q: identity(size),
      lipschitz: 0,
    }))
    let average = matrix(rows, columns)
    let t = 0
    const precondition = (g: Matrix) =>
      sides.reduce((x, { q }, side) => {
        const p = multiply(transpose(q), q)
        return side === 0 ? multiply(p, x) : multiply(x, p)
      }, g)
    return (gradient) => {
      t++
      const g = matrix(rows, columns, gradient)
      if (t === 1) {
        const rms = frobenius(g.data) / Math.sqrt(n)
        for (const side of sides) side.q = scaled(rms ** (-0.5 / sides.length), side.q)
      }
      const x = precondition(g)
      sides.forEach((side, index) => {
        const { size, isDense, q } = side
        const moment = index === 0 ? multiply(x, transpose(x)) : multiply(transpose(x), x)
        const t1 = isDense ? moment : diagonalOf(moment)
        const target = n / size
        const bound = (isDense ? lowerBound(t1) : Math.max(...t1.data)) + target
        side.lipschitz = Math.max(0.9 * side.lipschitz + 0.1 * bound, bound)
        const step = rate / side.lipschitz
        side.q = combine(1 + step * target, q, -step, multiply(t1, q))
        if (!isDense) return
        const skew = combine(1, transpose(side.q), -1, side.q)
        const norm = lowerBound(skew)
        if (norm === 0) return
        const r = scaled(1 / norm, skew)
        const first = multiply(r, side.q)
        const second = multiply(r, first)
        const a = trace(second) < 0 ? Math.min(1 / 8, Math.max(0, -trace(first) / trace(second))) : 1 / 8
        side.q = combine(1, combine(1, side.q, a, first), 0.5 * a * a, second)
      })
      average = combine(beta1, average, 1 - beta1, g)
      const direction = precondition(scaled(1 / (1 - beta1 ** t), average))
      const rms = frobenius(direction.data) / Math.sqrt(n)
      return Array.from(scaled(Math.min(1, maxRms / rms), direction).data)
    }
  }
}
