// A^{-1/p} by every method of ours against the eigendecomposition route on OpenBLAS, ml-matrix and jax-js.
import { inverseRoot, type Report } from '../lib/index.js'
import { type DType, relativeError } from '../test/matrices/zoo.js'
import { type Context, hold, type Own, type Peer } from './contest.js'
import { exactFunction, oracle } from './exact.js'
import { type Floats, item, sets, spectralBatch, worst } from './inputs.js'
import type { Measured } from './row.js'
import { batches, orders, quickOrders } from './sizes.js'

const methods = ['auto', 'eigh', 'minimax', 'coupled-newton'] as const

export async function* rows(context: Context): AsyncGenerator<Measured> {
  const sizes = context.quick ? quickOrders : orders
  for (const n of sizes) yield* await root(context, n, 4, 1e4, 'f32')
  if (context.quick) return
  for (const n of sizes) yield* await root(context, n, 2, 1e2, 'f32')
  for (const n of sizes) yield* await root(context, n, 4, 1e6, 'f32')
  for (const n of sizes) yield* await root(context, n, 4, 1e4, 'f64')
}

async function root(context: Context, n: number, p: number, condition: number, dtype: DType): Promise<Measured[]> {
  const { device } = context
  const batch = batches[n]!
  const size = n * n
  const shape = [batch, n, n]
  // Eigenvalues from 1 to 1 / (2 condition), and a ridge of as much: lambda_min + epsilon = 1 / condition. Without it the
  // larger sizes in f32 are singular by the header's rule, lambda_min <= n ulp lambda_max.
  const epsilon = 1 / (2 * condition)
  const inputs = Array.from({ length: sets }, (_, set) => spectralBatch(n, batch, 2 * condition, dtype, set + 1))
  const power = (w: number) => (Math.max(w, 0) + epsilon) ** (-1 / p)
  const exact = oracle(context, dtype, n)
  const references = new Map<number, ArrayLike<number>>()
  const error = (x: ArrayLike<number>, index: number) => {
    if (!exact) return null
    const known = references.get(index) ?? exactFunction(exact, item(inputs[0]!, index, size), n, power)
    references.set(index, known)
    return relativeError(x, known)
  }

  const tensors = inputs.map((data) => device.tensor(data, shape))
  const out = device.empty(shape, { dtype })
  // The iterative methods of single large matrices take seconds a call, and say nothing new.
  const own = methods
    .filter((method) => n <= 256 || method === 'auto' || method === 'eigh')
    .map((method): Own => {
      let report: Report | undefined
      return {
        method: () => (report!.method[0] === method ? method : `${method}: ${report!.method[0]}`),
        run: (round) => {
          report = inverseRoot(tensors[round % sets]!, { p, method, ridge: { absolute: epsilon }, out }).report
        },
        error: () => {
          if (!report!.ok) {
            context.log(`inverse root 1/${p}, n = ${n}, ${method}: matrix ${report!.failed[0]} failed`)
            return null
          }
          const x = out.data()
          return worst(n, batch, (i) => error(item(x, i, size), i))
        },
        flop: () => (report!.ok ? batch * flop(report!, n, p) : null),
      }
    })
  const auto = [own[0]!]
  const peers = [openblas(), mlMatrix(), jax()].filter((peer) => peer !== undefined)
  const result = await hold({ op: `inverse root 1/${p}`, n, batch, dtype, condition, own, peers }, context)
  for (const tensor of [...tensors, out]) tensor.dispose()
  return result

  function openblas(): Peer | undefined {
    if (!context.openblas) return undefined
    const { native } = context.openblas
    const x: Floats = inputs[0]!.slice()
    return {
      name: 'openblas',
      matrices: batch,
      run: (round) => native.inverseRoot(inputs[round % sets]!, x, n, batch, -1 / p, epsilon),
      error: () => worst(n, batch, (i) => error(item(x, i, size), i)),
    }
  }

  function mlMatrix(): Peer | undefined {
    const peer = context.mlMatrix
    if (!peer || n > 256) return undefined
    const matrix = peer.matrix(item(inputs[0]!, 0, size), n, n)
    let x = matrix
    return {
      name: 'ml-matrix',
      matrices: 1,
      against: auto,
      run: () => {
        x = peer.symmetricFunction(matrix, power)
      },
      error: () => error(x.to1DArray(), 0),
    }
  }

  function jax(): Peer | undefined {
    const peer = context.jax
    if (!peer || dtype !== 'f32' || n > 128) return undefined
    const matrices = Math.min(batch, n <= 16 ? 64 : n <= 32 ? 16 : n <= 64 ? 4 : 1)
    const array = peer.array(inputs[0]!.slice(0, matrices * size) as Float32Array, [matrices, n, n])
    let x: Float32Array = new Float32Array()
    return {
      name: 'jax-js',
      matrices,
      against: auto,
      run: () => {
        x = peer.read(peer.symmetricPower(array, -1 / p, epsilon))
      },
      error: () => worst(n, matrices, (i) => error(item(x, i, size), i)),
    }
  }
}

/**
 * Floating-point operations of the method that answered, per matrix: the header's 10 n^3 for eigh, 10/3 n^3 for partial
 * fractions, (5K - 4) n^3 for K minimax iterations at p = 4 (each product of symmetric matrices n^3); coupled Newton:
 * log2(p) + 2 products a step.
 */
function flop(report: Report, n: number, p: number): number {
  const iterations = report.iterations[0]!
  const cube = n ** 3
  switch (report.method[0]) {
    case 'minimax':
      return (5 * iterations - 4) * cube
    case 'partial-fractions':
      return (10 / 3) * cube
    case 'coupled-newton':
      return (Math.log2(p) + 2) * iterations * cube
    default:
      return 10 * cube
  }
}
