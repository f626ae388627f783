// eigh against LAPACK's divide and conquer in OpenBLAS, ml-matrix and jax-js.
import { eigh, type Tensor } from '../lib/index.js'
import { type DType, eighRatios, precision } from '../test/matrices/zoo.js'
import { type Context, hold, type Own, type Peer } from './contest.js'
import { type Floats, item, sets, spectralBatch, worst } from './inputs.js'
import type { Measured } from './row.js'
import { batches, orders, quickOrders } from './sizes.js'

const condition = 1e4

export async function* rows(context: Context): AsyncGenerator<Measured> {
  const sizes = context.quick ? quickOrders : orders
  for (const dtype of ['f32', 'f64'] as const) for (const n of sizes) yield* await order(context, n, dtype)
}

async function order(context: Context, n: number, dtype: DType): Promise<Measured[]> {
  const { device } = context
  const batch = batches[n]!
  const size = n * n
  const inputs = Array.from({ length: sets }, (_, set) => spectralBatch(n, batch, condition, dtype, set + 1))
  const ratio = (index: number, values: ArrayLike<number>, vectors: ArrayLike<number>) => {
    const found = eighRatios(item(inputs[0]!, index, size), values, vectors, n, precision[dtype].ulp)
    return Math.max(found.residual, found.orthogonality)
  }

  const tensors = inputs.map((data) => device.tensor(data, [batch, n, n]))
  let latest: { values: Tensor; vectors: Tensor | undefined } | undefined
  const release = () => {
    latest?.values.dispose()
    latest?.vectors?.dispose()
  }
  const own: Own = {
    method: 'eigh',
    run: (round) => {
      release()
      latest = eigh(tensors[round % sets]!)
    },
    error: () => {
      const [values, vectors] = [latest!.values.data(), latest!.vectors!.data()]
      return worst(n, batch, (i) => ratio(i, item(values, i, n), item(vectors, i, size)))
    },
    // Of the classical algorithm: 4/3 n^3 reduction, 4/3 n^3 its vectors, about 6 n^3 QL rotations.
    flop: () => 9 * batch * n ** 3,
  }
  const peers = [openblas(), mlMatrix(), jax()].filter((peer) => peer !== undefined)
  const result = await hold({ op: 'eigh', n, batch, dtype, condition, own: [own], peers }, context)
  release()
  for (const tensor of tensors) tensor.dispose()
  return result

  function openblas(): Peer | undefined {
    if (!context.openblas) return undefined
    const { native } = context.openblas
    const values: Floats = inputs[0]!.slice(0, batch * n)
    const vectors: Floats = inputs[0]!.slice()
    return {
      name: 'openblas',
      matrices: batch,
      run: (round) => native.eigh(inputs[round % sets]!, values, vectors, n, batch),
      error: () => worst(n, batch, (i) => ratio(i, item(values, i, n), transposed(item(vectors, i, size), n))),
    }
  }

  function mlMatrix(): Peer | undefined {
    const peer = context.mlMatrix
    if (!peer || dtype !== 'f64' || n > 256) return undefined
    const matrix = peer.matrix(item(inputs[0]!, 0, size), n, n)
    let found = peer.eigh(matrix)
    return {
      name: 'ml-matrix',
      matrices: 1,
      run: () => {
        found = peer.eigh(matrix)
      },
      error: () => ratio(0, found.values, found.vectors.to1DArray()),
    }
  }

  function jax(): Peer | undefined {
    const peer = context.jax
    if (!peer || dtype !== 'f32' || n > 128) return undefined
    const matrices = Math.min(batch, n <= 16 ? 64 : n <= 32 ? 16 : n <= 64 ? 4 : 1)
    const array = peer.array(inputs[0]!.slice(0, matrices * size) as Float32Array, [matrices, n, n])
    let found: { values: Floats; vectors: Floats } = { values: new Float32Array(), vectors: new Float32Array() }
    return {
      name: 'jax-js',
      matrices,
      run: () => {
        const { values, vectors } = peer.eigh(array)
        found = { values: peer.read(values), vectors: peer.read(vectors) }
      },
      error: () => worst(n, matrices, (i) => ratio(i, item(found.values, i, n), item(found.vectors, i, size))),
    }
  }
}

function transposed(a: Float64Array, n: number): Float64Array {
  return a.map((_, index) => a[(index % n) * n + Math.floor(index / n)]!)
}
