// spd_inverse against LAPACK's potrf and potri in OpenBLAS.
import { spdInverse } from '../lib/index.js'
import { type DType, relativeError } from '../test/matrices/zoo.js'
import { type Context, hold, type Own, type Peer } from './contest.js'
import { exactFunction, oracle } from './exact.js'
import { type Floats, item, sets, spectralBatch, worst } from './inputs.js'
import type { Measured } from './row.js'
import { batches, orders, quickOrders } from './sizes.js'

const condition = 1e2

export async function* rows(context: Context): AsyncGenerator<Measured> {
  const sizes = context.quick ? quickOrders : orders
  for (const dtype of ['f32', 'f64'] as const) for (const n of sizes) yield* await order(context, n, dtype)
}

async function order(context: Context, n: number, dtype: DType): Promise<Measured[]> {
  const { device } = context
  const batch = batches[n]!
  const size = n * n
  const inputs = Array.from({ length: sets }, (_, set) => spectralBatch(n, batch, condition, dtype, set + 1))
  const judge = oracle(context, dtype, n)
  const references = new Map<number, ArrayLike<number>>()
  const error = (x: ArrayLike<number>, index: number) => {
    if (!judge) return null
    const known = references.get(index) ?? exactFunction(judge, item(inputs[0]!, index, size), n, (w) => 1 / w)
    references.set(index, known)
    return relativeError(x, known)
  }

  const tensors = inputs.map((data) => device.tensor(data, [batch, n, n]))
  const out = device.empty([batch, n, n], { dtype })
  const own: Own = {
    method: 'cholesky',
    run: (round) => void spdInverse(tensors[round % sets]!, { out }),
    error: () => {
      const x = out.data()
      return worst(n, batch, (i) => error(item(x, i, size), i))
    },
    flop: () => batch * n ** 3,
  }
  const peers = [openblas()].filter((peer) => peer !== undefined)
  const result = await hold({ op: 'spd inverse', n, batch, dtype, condition, own: [own], peers }, context)
  for (const tensor of [...tensors, out]) tensor.dispose()
  return result

  function openblas(): Peer | undefined {
    if (!context.openblas) return undefined
    const { native } = context.openblas
    const x: Floats = inputs[0]!.slice()
    return {
      name: 'openblas',
      matrices: batch,
      run: (round) => native.spdInverse(inputs[round % sets]!, x, n, batch),
      error: () => worst(n, batch, (i) => error(item(x, i, size), i)),
    }
  }
}
