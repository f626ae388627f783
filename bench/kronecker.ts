// kronApply, modeProduct and kronSolve against the same products by OpenBLAS. For kronSolve these are the four rotations
// alone: the peer neither divides, nor looks for NaN, nor measures a residual.
import { type Device, eigh, gram, kronApply, kronSolve, modeProduct, type Tensor } from '../lib/index.js'
import { relativeError } from '../test/matrices/zoo.js'
import { type Context, hold, type Own, type Peer } from './contest.js'
import { checked, type Floats, gaussianBatch } from './inputs.js'
import type { Measured } from './row.js'
import { batches, quickOrders } from './sizes.js'

const dtype = 'f32'

export async function* rows(context: Context): AsyncGenerator<Measured> {
  const sizes = context.quick ? quickOrders : [8, 16, 32, 64, 128, 256, 512]
  for (const n of sizes) yield* await matrices(context, n)
  for (const n of context.quick ? [32] : [16, 32, 64]) yield* await tensors(context, n)
}

/** The first few matrices of a batch, in f64 on the reference. */
function few(reference: Device, data: Floats, n: number, count: number): Tensor {
  return reference.tensor(Float64Array.from(data.subarray(0, count * n * n)), [count, n, n])
}

async function matrices(context: Context, n: number): Promise<Measured[]> {
  const { device, reference } = context
  const batch = batches[n]!
  const shape = [batch, n, n]
  const [a, x, b] = [1, 2, 3].map((seed) => gaussianBatch(batch * n * n, dtype, seed)) as [Floats, Floats, Floats]
  const [left, middle, right] = [a, x, b].map((data) => device.tensor(data, shape)) as [Tensor, Tensor, Tensor]
  const [p, q] = [left, right].map((factor) => eigh(gram(factor))) as [ReturnType<typeof eigh>, ReturnType<typeof eigh>]
  const bases = [p, q].map(({ values, vectors }) => ({ values, vectors }))
  const out = device.empty(shape)
  const count = checked(n, batch)

  const exactProduct = () =>
    kronApply(few(reference, a, n, count), few(reference, x, n, count), few(reference, b, n, count)).data()
  const apply: Own = {
    method: 'kronApply',
    run: () => void kronApply(left, middle, right, { out }),
    error: () => relativeError(out.data().subarray(0, count * n * n), exactProduct()),
    flop: () => 4 * batch * n ** 3,
  }
  const solve: Own = {
    method: 'kronSolve',
    run: () => void kronSolve(middle, bases[0]!, bases[1]!, { damping: { relative: 1e-2 }, out }),
    error: () => {
      const exact = [p, q].map(({ values, vectors }) => ({
        vectors: few(reference, vectors!.data(), n, count),
        values: reference.tensor(Float64Array.from(values.data().subarray(0, count * n)), [count, n]),
      }))
      const { value } = kronSolve(few(reference, x, n, count), exact[0]!, exact[1]!, { damping: { relative: 1e-2 } })
      return relativeError(out.data().subarray(0, count * n * n), value.data())
    },
    flop: () => 8 * batch * n ** 3,
  }

  const openblas = (own: Own, products: number): Peer[] => {
    const native = context.openblas?.native
    if (!native) return []
    const [between, result] = [a.slice(), a.slice()]
    const run = () => {
      for (let pair = 0; pair < products; pair += 2) {
        native.gemm(a, x, between, n, n, n, batch)
        native.gemm(between, b, result, n, n, n, batch)
      }
    }
    // Rotations alone are no solution.
    const error = () => (own === apply ? relativeError(result.subarray(0, count * n * n), exactProduct()) : null)
    return [{ name: `openblas, ${products} gemm`, matrices: batch, against: [own], run, error }]
  }
  const peers = [...openblas(apply, 2), ...openblas(solve, 4)]
  const result = await hold({ op: 'kronecker', n, batch, dtype, condition: null, own: [apply, solve], peers }, context)
  for (const tensor of [left, middle, right, out, p.values, p.vectors!, q.values, q.vectors!]) tensor.dispose()
  return result
}

/** A tensor of order 3 and extent n times a matrix along each dimension. */
async function tensors(context: Context, n: number): Promise<Measured[]> {
  const { device, reference } = context
  const batch = Math.max(1, Math.floor(2 ** 21 / n ** 3))
  const x = gaussianBatch(batch * n ** 3, dtype, 4)
  const factors = [5, 6, 7].map((seed) => gaussianBatch(n * n, dtype, seed))
  const tensor = device.tensor(x, [batch, n, n, n])
  const sides = factors.map((data) => device.tensor(data, [n, n]))
  const out = device.empty([batch, n, n, n])
  const exact = modeProduct(
    reference.tensor(Float64Array.from(x.subarray(0, n ** 3)), [n, n, n]),
    factors.map((data) => few(reference, data, n, 1)),
  ).data()
  const own: Own = {
    method: 'modeProduct',
    run: () => void modeProduct(tensor, sides, { out }),
    error: () => relativeError(out.data().subarray(0, n ** 3), exact),
    flop: () => 6 * batch * n ** 4,
  }
  const peers: Peer[] = []
  const native = context.openblas?.native
  if (native) {
    const [between, result] = [x.slice(), x.slice()]
    // A product by the first mode, one for each of n slices by the second, and one with all rows by the third: its gemm
    // takes as many factors as products.
    const [first, second, third] = [batch, batch * n, batch].map((count, mode) => repeated(factors[mode]!, count))
    const transposed = repeated(factors[2]!, 1)
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) transposed[j * n + i] = factors[2]![i * n + j]!
    for (let i = 0; i < batch; i++) third!.set(transposed, i * n * n)
    const run = () => {
      native.gemm(first!, x, between, n, n * n, n, batch)
      native.gemm(second!, between, result, n, n, n, batch * n)
      native.gemm(result, third!, between, n * n, n, n, batch)
    }
    const error = () => relativeError(between.subarray(0, n ** 3), exact)
    peers.push({ name: 'openblas, 3 gemm', matrices: batch, run, error })
  }
  const result = await hold({ op: 'kronecker', n, batch, dtype, condition: null, own: [own], peers }, context)
  for (const each of [tensor, out, ...sides]) each.dispose()
  return result
}

function repeated(data: Floats, count: number): Floats {
  const copies = new Float32Array(count * data.length)
  for (let i = 0; i < count; i++) copies.set(data, i * data.length)
  return copies
}
