// Random inputs of the subjects: several sets each, used in turn, none of them zero or repeated within a set.
import { type DType, graded, Random, typed } from '../test/matrices/zoo.js'

export type Floats = Float32Array | Float64Array

export const sets = 3

/** Matrices drawn freely; the rest of a batch are these reordered and with other signs, which keeps the spectrum. */
const drawn = 4

/** A batch of dense symmetric matrices with eigenvalues geometric from 1 to 1 / condition. */
export function spectralBatch(n: number, batch: number, condition: number, dtype: DType, seed: number): Floats {
  const random = new Random(seed)
  const models = Array.from({ length: Math.min(drawn, batch) }, () => graded(n, condition, { dtype, random }).data)
  const data = new Float64Array(batch * n * n)
  for (let s = 0; s < batch; s++) {
    const model = models[s % models.length]!
    const order = shuffled(n, random)
    const sign = Float64Array.from({ length: n }, () => random.sign())
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) data[(s * n + i) * n + j] = sign[i]! * sign[j]! * model[order[i]! * n + order[j]!]!
  }
  return typed(dtype, data)
}

export function gaussianBatch(count: number, dtype: DType, seed: number): Floats {
  return typed(dtype, new Random(seed).normals(count))
}

function shuffled(n: number, random: Random): number[] {
  const order = Array.from({ length: n }, (_, i) => i)
  for (let i = n - 1; i > 0; i--) {
    const j = random.integer(0, i)
    const kept = order[i]!
    order[i] = order[j]!
    order[j] = kept
  }
  return order
}

/** Matrix `index` of a batch in f64. */
export function item(data: Floats, index: number, size: number): Float64Array {
  return Float64Array.from(data.subarray(index * size, (index + 1) * size))
}

/** How many matrices of a batch have their accuracy checked. */
export function checked(n: number, batch: number): number {
  return Math.min(batch, n <= 64 ? 4 : n <= 256 ? 2 : 1)
}

/** The worst of `measure(i)` over the matrices that are checked; null where it measures nothing. */
export function worst(n: number, batch: number, measure: (index: number) => number | null): number | null {
  let largest = 0
  for (let i = 0; i < checked(n, batch); i++) {
    const value = measure(i)
    if (value === null) return null
    // NaN is worse than any number.
    if (!(value <= largest)) largest = value
  }
  return largest
}
