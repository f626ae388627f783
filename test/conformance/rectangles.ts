// Rectangular matrices for qr and svd: full and deficient rank, graded, clustered, zero, both ends of the range.
import type { Device, Tensor } from '../../lib/index.js'
import { type DType, type Multiply, precision, type Random, typed } from '../matrices/zoo.js'

export interface Rectangle {
  readonly name: string
  readonly m: number
  readonly n: number
  /** m * n numbers, rounded to the dtype. */
  readonly data: Float64Array
}

/** Shapes around edges of lanes and blocks, tall and wide. */
export const manyShapes: readonly (readonly [m: number, n: number])[] = [
  ...Array.from({ length: 20 }, (_, i) => [i + 1, i + 1] as const),
  ...([
    [1, 9],
    [9, 1],
    [17, 33],
    [33, 17],
    [64, 64],
    [65, 40],
    [40, 65],
    [129, 129],
    [300, 20],
    [20, 300],
    [257, 130],
  ] as const),
] // prettier-ignore

export const fewShapes: readonly (readonly [m: number, n: number])[] = [
  [1, 1],
  [3, 3],
  [9, 5],
  [5, 9],
  [33, 33],
  [70, 64],
]

export function rectangles(m: number, n: number, dtype: DType, random: Random): Rectangle[] {
  const { huge, tiny, ulp } = precision[dtype]
  const decay = (ulp / 8) ** (1 / Math.max(m, n))
  const make = (name: string, element: (i: number, j: number) => number): Rectangle => {
    const data = Float64Array.from({ length: m * n }, (_, at) => element(Math.floor(at / n), at % n))
    return { name, m, n, data: dtype === 'f32' ? data.map(Math.fround) : data }
  }
  return [
    make('normal', () => random.normal()),
    make('zero', () => 0),
    make('minus identity', (i, j) => (i === j ? -1 : 0)),
    make('ones', () => 1),
    make('graded columns', (_, j) => random.normal() * decay ** j),
    make('graded rows, the last one longest', (i) => random.normal() * decay ** (m - i)),
    make('a zero column', (_, j) => (j === n >> 1 ? 0 : random.normal())),
    make('equal columns', (i, j) => Math.cos(i + 7 * (j >> 1))),
    make('rank one and noise', (i, j) => Math.sin(i + 1) * Math.cos(j) + 100 * ulp * random.normal()),
    make('one long row and a cluster', (i, j) => (i !== j ? 0 : i === 0 ? 1 : 1e-4)),
    make('Hilbert', (i, j) => 1 / (1 + i + j)),
    make('huge', () => (random.uniform(-1, 1) * huge) / (2 * (m + n))),
    make('tiny', () => (random.uniform(-1, 1) * tiny) / ulp ** 1.5),
  ]
}

/** A batch of equally large rectangles. */
export function stackedRectangles(device: Device, matrices: readonly Rectangle[], dtype: DType): Tensor {
  const { m, n } = matrices[0]!
  const data = new Float64Array(matrices.length * m * n)
  for (const [i, matrix] of matrices.entries()) data.set(matrix.data, i * m * n)
  return device.tensor(typed(dtype, data), [matrices.length, m, n])
}

/** The largest sum of magnitudes of a column. */
export function oneNorm(x: Float64Array, m: number, n: number): number {
  const sums = new Float64Array(n)
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) sums[j]! += Math.abs(x[i * n + j]!)
  return sums.reduce((most, sum) => Math.max(most, sum), 0)
}

/** |Q^T Q - I| / (m ulp) in the 1-norm, Q m x l. */
export function orthonormalityRatio(q: Float64Array, m: number, l: number, ulp: number, multiply: Multiply): number {
  const gram = multiply(l, l, m, q, q, 'A^T')
  for (let i = 0; i < l; i++) gram[i * l + i]! -= 1
  return oneNorm(gram, l, l) / (m * ulp)
}
