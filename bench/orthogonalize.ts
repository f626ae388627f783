// orthogonalize: Muon's quintic in both forms against the same polynomial by OpenBLAS, ml-matrix and jax-js; the exact
// polar factor against ml-matrix's singular value decomposition.
import { type Device, orthogonalize } from '../lib/index.js'
import { type DType, relativeError } from '../test/matrices/zoo.js'
import { type Context, hold, type Own, type Peer } from './contest.js'
import { exactNewtonSchulz, exactPolar, oracle, type Triple } from './exact.js'
import { type Floats, gaussianBatch, item, sets, worst } from './inputs.js'
import type { Measured } from './row.js'
import { batches, orders, quickOrders } from './sizes.js'

const triples: readonly Triple[] = Array(5).fill([3.4445, -4.775, 2.0315])

export async function* rows(context: Context): AsyncGenerator<Measured> {
  const sizes = context.quick ? quickOrders : orders.filter((n) => n >= 16)
  for (const aspect of [1, 4]) for (const n of sizes) yield* await shape(context, n, aspect, 'f32')
  if (!context.quick) for (const n of sizes) yield* await shape(context, n, 1, 'f64')
}

async function shape(context: Context, m: number, aspect: number, dtype: DType): Promise<Measured[]> {
  const { device } = context
  const n = aspect * m
  const batch = Math.max(2, batches[m]! / aspect)
  const size = m * n
  const inputs = Array.from({ length: sets }, (_, set) => gaussianBatch(batch * size, dtype, set + 1))
  const judge = oracle(context, dtype, n)
  const remembered = (exact: (judge: Device, a: Float64Array) => Floats) => {
    const known = new Map<number, Floats>()
    return (x: ArrayLike<number>, index: number) => {
      if (!judge) return null
      const reference = known.get(index) ?? exact(judge, item(inputs[0]!, index, size))
      known.set(index, reference)
      return relativeError(x, reference)
    }
  }
  const polynomialError = remembered((device, a) => exactNewtonSchulz(device, a, m, n, triples))
  const polarError = remembered((device, a) => exactPolar(device, a, m, n))

  const tensors = inputs.map((data) => device.tensor(data, [batch, m, n]))
  const out = device.empty([batch, m, n], { dtype })
  const cube = m ** 3
  const step = triples.length
  type Method = 'newton-schulz' | 'gram-newton-schulz' | 'polar'
  const variant = (method: Method, flop: number, precision: 'full' | 'bf16' = 'full'): Own => ({
    method: precision === 'full' ? method : `${method} ${precision}`,
    // Without a matrix unit 'bf16' is 'full'; where small matrices share vectors, too, but that is not known here.
    operands: precision === 'bf16' && context.machine.peak?.bf16 ? 'bf16' : dtype,
    run: (round) => void orthogonalize(tensors[round % sets]!, { method, precision, out }),
    error: () => {
      const x = out.data()
      const error = method === 'polar' ? polarError : polynomialError
      return worst(m, batch, (i) => error(item(x, i, size), i))
    },
    flop: () => batch * flop,
  })
  // Symmetric products count their lower triangle. Gram form: Gram matrix and application twice (restart), three
  // symmetric products a step. Polar: eigh, V f(w) V^T, application, one step to polish.
  const iterated = variant('newton-schulz', step * (3 * m * size + cube))
  const gram = variant('gram-newton-schulz', 2 * 3 * m * size + step * 3 * cube)
  const polar = variant('polar', 3 * m * size + 10 * cube + 3 * m * size + cube)
  const rounded = variant('newton-schulz', step * (3 * m * size + cube), 'bf16')
  const polynomials = dtype === 'f32' ? [iterated, gram, rounded] : [iterated, gram]
  const own = [...polynomials, polar]

  const peers = [openblas(), mlMatrix(), mlMatrixPolar(), jax()].filter((peer) => peer !== undefined)
  const op = aspect === 1 ? 'orthogonalize' : `orthogonalize 1:${aspect}`
  const result = await hold({ op, n: m, batch, dtype, condition: null, own, peers }, context)
  for (const tensor of [...tensors, out]) tensor.dispose()
  return result

  function openblas(): Peer | undefined {
    if (!context.openblas) return undefined
    const { native } = context.openblas
    const x = inputs[0]!.slice()
    const flat = Float64Array.from(triples.flat())
    return {
      name: 'openblas',
      matrices: batch,
      against: polynomials,
      run: (round) => native.newtonSchulz(inputs[round % sets]!, x, m, n, batch, flat, step),
      error: () => worst(m, batch, (i) => polynomialError(item(x, i, size), i)),
    }
  }

  function mlMatrix(): Peer | undefined {
    const peer = context.mlMatrix
    if (!peer || m > 256) return undefined
    const matrix = peer.matrix(item(inputs[0]!, 0, size), m, n)
    let x = matrix
    return {
      name: 'ml-matrix',
      matrices: 1,
      against: [iterated],
      run: () => {
        x = peer.newtonSchulz(matrix, triples)
      },
      error: () => polynomialError(x.to1DArray(), 0),
    }
  }

  function mlMatrixPolar(): Peer | undefined {
    const peer = context.mlMatrix
    if (!peer || m > 128) return undefined
    const matrix = peer.matrix(item(inputs[0]!, 0, size), m, n)
    let x = matrix
    return {
      name: 'ml-matrix',
      matrices: 1,
      against: [polar],
      run: () => {
        x = peer.polar(matrix)
      },
      error: () => polarError(x.to1DArray(), 0),
    }
  }

  function jax(): Peer | undefined {
    const peer = context.jax
    if (!peer || dtype !== 'f32' || m > 512) return undefined
    const array = peer.array(inputs[0] as Float32Array, [batch, m, n])
    let x: Float32Array = new Float32Array()
    return {
      name: 'jax-js',
      matrices: batch,
      against: [iterated],
      run: () => {
        x = peer.read(peer.newtonSchulz(array, triples))
      },
      error: () => worst(m, batch, (i) => polynomialError(item(x, i, size), i)),
    }
  }
}
