// matmul against OpenBLAS's gemm, ml-matrix and jax-js.
import { matmul } from '../lib/index.js'
import { accurateDot, type DType, relativeError } from '../test/matrices/zoo.js'
import { type Context, hold, type Own, type Peer } from './contest.js'
import { gaussianBatch, item, sets, worst } from './inputs.js'
import type { Measured } from './row.js'

const batches: Record<number, number> = { 16: 1024, 32: 512, 64: 128, 128: 64, 256: 16, 512: 4, 1024: 2, 2048: 2 }

export async function* rows(context: Context): AsyncGenerator<Measured> {
  const sizes = context.quick ? [16, 64, 256, 1024] : [16, 32, 64, 128, 256, 512, 1024, 2048]
  for (const dtype of ['f32', 'f64'] as const) for (const n of sizes) yield* await square(context, n, dtype)
}

async function square(context: Context, n: number, dtype: DType): Promise<Measured[]> {
  const { device } = context
  const batch = batches[n]!
  const size = n * n
  const a = Array.from({ length: sets }, (_, set) => gaussianBatch(batch * size, dtype, 2 * set + 1))
  const b = Array.from({ length: sets }, (_, set) => gaussianBatch(batch * size, dtype, 2 * set + 2))
  const error = (c: ArrayLike<number>, index: number) =>
    sampledError(item(a[0]!, index, size), item(b[0]!, index, size), c, n)

  const shape = [batch, n, n]
  const left = a.map((data) => device.tensor(data, shape))
  const right = b.map((data) => device.tensor(data, shape))
  const out = device.empty(shape, { dtype })
  const own: Own = {
    method: 'gemm',
    run: (round) => void matmul(left[round % sets]!, right[round % sets]!, { out }),
    error: () => {
      const c = out.data()
      return worst(n, batch, (i) => error(item(c, i, size), i))
    },
    flop: () => 2 * batch * n ** 3,
  }
  const peers = [openblas(), mlMatrix(), jax()].filter((peer) => peer !== undefined)
  const result = await hold({ op: 'matmul', n, batch, dtype, condition: null, own: [own], peers }, context)
  for (const tensor of [...left, ...right, out]) tensor.dispose()
  return result

  function openblas(): Peer | undefined {
    if (!context.openblas) return undefined
    const { native } = context.openblas
    const c = a[0]!.slice()
    return {
      name: 'openblas',
      matrices: batch,
      run: (round) => native.gemm(a[round % sets]!, b[round % sets]!, c, n, n, n, batch),
      error: () => worst(n, batch, (i) => error(item(c, i, size), i)),
    }
  }

  function mlMatrix(): Peer | undefined {
    const peer = context.mlMatrix
    if (!peer || dtype !== 'f64' || n > 512) return undefined
    const [x, y] = [peer.matrix(item(a[0]!, 0, size), n, n), peer.matrix(item(b[0]!, 0, size), n, n)]
    let c = x
    return {
      name: 'ml-matrix',
      matrices: 1,
      run: () => {
        c = x.mmul(y)
      },
      error: () => error(c.to1DArray(), 0),
    }
  }

  function jax(): Peer | undefined {
    const peer = context.jax
    if (!peer || dtype !== 'f32' || n > 512) return undefined
    const [x, y] = [peer.array(a[0] as Float32Array, shape), peer.array(b[0] as Float32Array, shape)]
    let c: Float32Array = new Float32Array()
    return {
      name: 'jax-js',
      matrices: batch,
      run: () => {
        c = peer.read(peer.matmul(x, y))
      },
      error: () => worst(n, batch, (i) => error(item(c, i, size), i)),
    }
  }
}

/** Relative Frobenius error of a few rows of C = A B against sums in twice the precision of f64. */
function sampledError(a: Float64Array, b: Float64Array, c: ArrayLike<number>, n: number): number {
  const rows = [...new Set([0, n >> 2, n >> 1, n - 1])]
  const exact = new Float64Array(rows.length * n)
  const found = new Float64Array(rows.length * n)
  const column = new Float64Array(n)
  for (let j = 0; j < n; j++) {
    for (let k = 0; k < n; k++) column[k] = b[k * n + j]!
    for (const [r, i] of rows.entries()) {
      exact[r * n + j] = accurateDot(a.subarray(i * n, (i + 1) * n), column)
      found[r * n + j] = c[i * n + j]!
    }
  }
  return relativeError(found, exact)
}
