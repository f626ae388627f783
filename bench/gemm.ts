// matmul and gram against OpenBLAS's gemm, ml-matrix and jax-js: batches on all threads, and one thread on matrices that
// stay in its cache, where the fraction of the peak is that of the kernel.
import { type Device, gram, type Isa, matmul, open } from '../lib/index.js'
import { accurateDot, type DType, relativeError } from '../test/matrices/zoo.js'
import { type Context, hold, type Own, type Peer } from './contest.js'
import { gaussianBatch, item, sets, worst } from './inputs.js'
import type { Measured } from './row.js'
import { batches, orders, quickOrders } from './sizes.js'

export async function* rows(context: Context): AsyncGenerator<Measured> {
  const sizes = context.quick ? quickOrders : orders
  for (const dtype of ['f32', 'f64'] as const) for (const n of sizes) yield* await square(context, n, dtype)
  for (const n of sizes) yield* await alone(context, n)
}

/** Bytes of operands that a thread keeps in its L2 cache. */
const cached = 1 << 20

/** One thread on as many matrices as its cache holds. */
async function alone(context: Context, n: number): Promise<Measured[]> {
  const device = open('cpu', { threads: 1, isa: context.device.isa as Isa })
  const { machine, openblas } = context
  const peak = machine.peak && {
    f32: machine.peak.f32 / machine.threads,
    f64: machine.peak.f64 / machine.threads,
    bf16: machine.peak.bf16 && machine.peak.bf16 / machine.threads,
  }
  openblas?.native.setAlone(1)
  try {
    const batch = Math.max(1, Math.floor(cached / (12 * n * n)))
    return await contest({ ...context, device, machine: { ...machine, peak } }, device, n, 'f32', batch, ', 1 thread')
  } finally {
    openblas?.native.setAlone(0)
    device.dispose()
  }
}

function square(context: Context, n: number, dtype: DType): Promise<Measured[]> {
  return contest(context, context.device, n, dtype, batches[n]!, '')
}

async function contest(context: Context, device: Device, n: number, dtype: DType, batch: number, where: string) {
  const size = n * n
  const a = Array.from({ length: sets }, (_, set) => gaussianBatch(batch * size, dtype, 2 * set + 1))
  const b = Array.from({ length: sets }, (_, set) => gaussianBatch(batch * size, dtype, 2 * set + 2))
  const shape = [batch, n, n]
  const left = a.map((data) => device.tensor(data, shape))
  const right = b.map((data) => device.tensor(data, shape))
  const out = device.empty(shape, { dtype })
  // On one thread the sets would not stay in the cache together.
  const used = where === '' ? sets : 1
  const judged = (symmetric: boolean) => (c: ArrayLike<number>, index: number) => {
    const first = item(a[0]!, index, size)
    return sampledError(first, symmetric ? transposed(first, n) : item(b[0]!, index, size), c, n)
  }
  const variant = (method: string, run: (round: number) => void, symmetric: boolean): Own => ({
    method,
    run,
    error: () => {
      const c = out.data()
      return worst(n, batch, (i) => judged(symmetric)(item(c, i, size), i))
    },
    flop: () => (symmetric ? 1 : 2) * batch * n ** 3,
  })
  const product = variant('gemm', (round) => void matmul(left[round % used]!, right[round % used]!, { out }), false)
  const symmetric = variant('gram', (round) => void gram(left[round % used]!, { out }), true)

  const inBatches = where === ''
  const vectors = inBatches ? undefined : withoutUnit()
  const peers = [openblas(), ...(inBatches ? [mlMatrix(), jax()] : [vectors?.peer])].filter(
    (peer) => peer !== undefined,
  )
  const subject = { n, batch, dtype, condition: null }
  const result = await hold({ op: `matmul${where}`, ...subject, own: [product, symmetric], peers }, context)
  for (const tensor of [...left, ...right, out]) tensor.dispose()
  vectors?.dispose()
  return result.map((each) =>
    each.row.method === 'gram' ? { ...each, row: { ...each.row, op: `gram${where}` } } : each,
  )

  /** Our own product in vectors, where the device has the matrix unit. */
  function withoutUnit(): { peer: Peer; dispose(): void } | undefined {
    if (device.isa !== 'amx' || dtype !== 'f32') return undefined
    const vectors = open('cpu', { threads: 1, isa: 'avx512' })
    const [x, y] = [vectors.tensor(a[0]!, shape), vectors.tensor(b[0]!, shape)]
    const c = vectors.empty(shape, { dtype })
    return {
      peer: {
        name: 'avx512',
        matrices: batch,
        against: [product],
        run: () => void matmul(x, y, { out: c }),
        error: () => {
          const data = c.data()
          return worst(n, batch, (i) => judged(false)(item(data, i, size), i))
        },
      },
      dispose: () => {
        for (const tensor of [x, y, c]) tensor.dispose()
        vectors.dispose()
      },
    }
  }

  /** A whole gemm also against gram: what a program without a symmetric product does. */
  function openblas(): Peer | undefined {
    if (!context.openblas) return undefined
    const { native } = context.openblas
    const c = a[0]!.slice()
    return {
      name: 'openblas',
      matrices: batch,
      run: (round) => native.gemm(a[round % used]!, b[round % used]!, c, n, n, n, batch),
      error: () => worst(n, batch, (i) => judged(false)(item(c, i, size), i)),
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
      against: [product],
      run: () => {
        c = x.mmul(y)
      },
      error: () => judged(false)(c.to1DArray(), 0),
    }
  }

  function jax(): Peer | undefined {
    const peer = context.jax
    if (!peer || dtype !== 'f32' || n > 256) return undefined
    const [x, y] = [peer.array(a[0] as Float32Array, shape), peer.array(b[0] as Float32Array, shape)]
    let c: Float32Array = new Float32Array()
    return {
      name: 'jax-js',
      matrices: batch,
      against: [product],
      run: () => {
        c = peer.read(peer.matmul(x, y))
      },
      error: () => worst(n, batch, (i) => judged(false)(item(c, i, size), i)),
    }
  }
}

function transposed(a: Float64Array, n: number): Float64Array {
  return a.map((_, index) => a[(index % n) * n + Math.floor(index / n)]!)
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
