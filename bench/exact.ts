// Exact answers in f64 for the error columns. For f32 the f64 kernels of the device give them, which test/conformance
// holds to LAPACK's ratios and to exact sums; f64 is compared with the plain loops of the reference backend.
import { type Device, eigh, matmul, orthogonalize } from '../lib/index.js'
import type { DType } from '../test/matrices/zoo.js'
import type { Context } from './contest.js'

/** Up to this size the reference backend takes less than a second for a matrix. */
const largestReference = 256

/** The device that gives exact answers; undefined where none would be independent of what is measured. */
export function oracle({ device, reference }: Context, dtype: DType, n: number): Device | undefined {
  if (dtype === 'f32') return device
  return n <= largestReference ? reference : undefined
}

export type Triple = readonly [number, number, number]

/** V f(w) V^T in f64. */
export function exactFunction(device: Device, a: Float64Array, n: number, f: (w: number) => number) {
  const tensor = device.tensor(a, [n, n])
  const { values, vectors } = eigh(tensor)
  const w = values.data()
  const weighted = device.tensor(
    (vectors!.data() as Float64Array).map((x, index) => x * f(w[index % n]!)),
    [n, n],
  )
  const product = matmul(weighted, vectors!, { transposeB: true })
  const data = product.data()
  for (const t of [tensor, values, vectors!, weighted, product]) t.dispose()
  return data
}

/** The polynomial on A / |A|_F in f64. */
export function exactNewtonSchulz(device: Device, a: Float64Array, m: number, n: number, triples: readonly Triple[]) {
  return orthogonalized(device, a, m, n, { method: 'newton-schulz', table: triples, steps: triples.length })
}

/** U V^T in f64. */
export function exactPolar(device: Device, a: Float64Array, m: number, n: number) {
  return orthogonalized(device, a, m, n, { method: 'polar' })
}

function orthogonalized(
  device: Device,
  a: Float64Array,
  m: number,
  n: number,
  options: Parameters<typeof orthogonalize>[1],
) {
  const tensor = device.tensor(a, [m, n])
  const { value } = orthogonalize(tensor, options)
  const data = value.data()
  tensor.dispose()
  value.dispose()
  return data
}
