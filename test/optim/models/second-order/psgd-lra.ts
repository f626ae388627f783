// PSGD's low-rank whitening with Q and its inverse as n x n matrices. Random signs are those of lib/, everything else is not.
import { fillSigns } from '../../../../lib/optim/second-order/probes.js'
import { identity, type Matrix, matrix, multiply, transpose } from '../../dense64.js'
import type { GroupModel } from '../model.js'
import { dot, flatModel, sum } from './flat.js'

export interface PsgdLraModelOptions {
  readonly rank: number
  readonly rate: number
  readonly beta1: number
  readonly maxRms: number
  readonly seed: number
}

/** Gauss and Jordan, with pivots. */
function inverse(a: Matrix): Matrix {
  const n = a.rows
  const rows = Array.from({ length: n }, (_, i) => [
    ...a.data.subarray(i * n, (i + 1) * n),
    ...identity(n).data.subarray(i * n, (i + 1) * n),
  ])
  for (let column = 0; column < n; column++) {
    const below = rows.slice(column).map((row) => Math.abs(row[column]!))
    const pivot = column + below.indexOf(Math.max(...below))
    ;[rows[column], rows[pivot]] = [rows[pivot]!, rows[column]!]
    rows[column] = rows[column]!.map((value) => value / rows[column]![column]!)
    for (let i = 0; i < n; i++) {
      if (i === column) continue
      rows[i] = sum(1, rows[i]!, -rows[i]![column]!, rows[column]!)
    }
  }
  return matrix(
    n,
    n,
    rows.flatMap((row) => row.slice(n)),
  )
}

const times = (a: Matrix, x: readonly number[]) => Array.from(multiply(a, matrix(x.length, 1, x)).data)
const norm = (x: readonly number[]) => Math.sqrt(dot(x, x))
const signs = (length: number, seed: number, step: number, name: string) => {
  const array = new Float32Array(length)
  fillSigns(array, seed, step, name)
  return array
}

export function psgdLraModel({ rank, rate, beta1, maxRms, seed }: PsgdLraModelOptions): GroupModel {
  return flatModel((n) => {
    const size = 0.1 / Math.sqrt(n * rank)
    const initial = (name: string) =>
      transpose(
        matrix(
          rank,
          n,
          signs(n * rank, seed, 0, name).map((z) => z * size),
        ),
      )
    let [u, v] = [initial('u'), initial('v')]
    let d: number[] | undefined
    let average = new Array<number>(n).fill(0)
    let updates = 0
    const lowRank = () => {
      const product = multiply(u, transpose(v))
      return matrix(
        n,
        n,
        product.data.map((value, i) => (i % (n + 1) === 0 ? value + 1 : value)),
      )
    }
    const minus = (a: Matrix, mu: number, change: (i: number, k: number) => number) =>
      matrix(
        n,
        rank,
        a.data.map((value, i) => value - mu * change(Math.floor(i / rank), i % rank)),
      )
    return (gradient, _, { step }) => {
      d ??= gradient.map(() => (norm(gradient) / Math.sqrt(n)) ** -0.5)
      const z = Array.from(signs(n, seed, step, ''))
      const scale = (x: readonly number[]) => x.map((value, i) => value * d![i]!)
      const unscale = (x: readonly number[]) => x.map((value, i) => value / d![i]!)
      const l = lowRank()
      const back = inverse(l)
      const a = times(l, scale(gradient))
      const b = times(transpose(back), unscale(z))
      const pg = scale(times(transpose(l), a))
      const pz = unscale(times(back, b))
      const [along, other] = updates % 2 === 0 ? [v, u] : [u, v]
      const through = (x: readonly number[]) => times(transpose(along), x)
      const mu = rate / (norm(a) * norm(times(along, through(a))) + norm(b) * norm(times(along, through(b))))
      if (updates % 2 === 0) {
        const m = multiply(transpose(v), u)
        const mixed = (x: readonly number[]) => {
          const t = through(x)
          return t.map((value, k) => value + t.reduce((part, entry, j) => part + entry * m.data[j * rank + k]!, 0))
        }
        const [ta, tb] = [mixed(a), mixed(b)]
        u = minus(other, mu, (i, k) => a[i]! * ta[k]! - b[i]! * tb[k]!)
      } else {
        const [ta, tb] = [through(a), through(b)]
        const [wa, wb] = [sum(1, a, 1, times(v, ta)), sum(1, b, 1, times(v, tb))]
        v = minus(other, mu, (i, k) => wa[i]! * ta[k]! - wb[i]! * tb[k]!)
      }
      const e = pg.map((value, i) => value * gradient[i]! - z[i]! * pz[i]!)
      const largest = Math.max(...e.map(Math.abs))
      d = d.map((value, i) => value * (1 - (rate / largest) * e[i]!))
      updates++
      average = sum(beta1, average, 1 - beta1, gradient)
      const moved = lowRank()
      const mean = average.map((value) => value / (1 - beta1 ** step))
      const direction = scale(times(transpose(moved), times(moved, scale(mean))))
      const rms = norm(direction) / Math.sqrt(n)
      return direction.map((value) => value * Math.min(1, maxRms / rms))
    }
  })
}
