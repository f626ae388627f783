// qr and svd of square Gaussian matrices against geqrf + orgqr and gesdd of OpenBLAS; then triangularSolve and normEstimate.
import { qr, svd, Tensor } from '../lib/index.js'
import { type DType, multiply, precision } from '../test/matrices/zoo.js'
import { type Context, hold, type Own, type Peer } from './contest.js'
import { type Floats, gaussianBatch, item, sets, worst } from './inputs.js'
import { normEstimateOfOrder } from './norm-estimate.js'
import type { Measured } from './row.js'
import { batches, orders, quickOrders } from './sizes.js'
import { triangularSolveOfOrder } from './triangular-solve.js'

export async function* rows(context: Context): AsyncGenerator<Measured> {
  const sizes = context.quick ? quickOrders : orders
  for (const dtype of ['f32', 'f64'] as const)
    for (const n of sizes) {
      yield* await qrOfOrder(context, n, dtype)
      yield* await svdOfOrder(context, n, dtype)
      yield* await triangularSolveOfOrder(context, n, dtype)
      yield* await normEstimateOfOrder(context, n, dtype)
    }
}

/** Accuracy is not checked above this order: its products run in JavaScript. */
const mostChecked = 512

async function qrOfOrder(context: Context, n: number, dtype: DType): Promise<Measured[]> {
  const batch = batches[n]!
  const size = n * n
  const inputs = Array.from({ length: sets }, (_, set) => gaussianBatch(batch * size, dtype, set + 1))
  const error = (q: Floats, r: Floats) =>
    worst(n, batch, (i) =>
      n > mostChecked ? null : ratio(inputs[0]!, i, item(q, i, size), item(r, i, size), n, dtype),
    )
  const own = racer(context, inputs, [batch, n, n], {
    method: 'qr',
    run: (a) => qr(a),
    error: ({ q, r }) => error(q!.data(), r.data()),
    // 4/3 n^3 for R, as much for Q.
    flop: () => (8 / 3) * batch * n ** 3,
  })
  const result = await hold({ op: 'qr', n, batch, dtype, condition: null, own: [own], peers: peer() }, context)
  own.dispose()
  return result

  function peer(): Peer[] {
    if (!context.openblas) return []
    const { native } = context.openblas
    const [q, r] = [inputs[0]!.slice(), inputs[0]!.slice()]
    const run = (round: number) => native.qr(inputs[round % sets]!, q, r, n, n, batch)
    const upper = () => transposed(r, n, batch).map((x, at) => (at % n < Math.floor((at % size) / n) ? 0 : x))
    return [{ name: 'openblas', matrices: batch, run, error: () => error(transposed(q, n, batch), upper()) }]
  }
}

async function svdOfOrder(context: Context, n: number, dtype: DType): Promise<Measured[]> {
  const batch = n >= 64 ? Math.max(4, batches[n]! / 8) : batches[n]!
  const size = n * n
  const inputs = Array.from({ length: sets }, (_, set) => gaussianBatch(batch * size, dtype, set + 1))
  // U diag(s) times V^T, both with columns of A.
  const error = (u: Floats, s: Floats, v: Floats) =>
    worst(n, batch, (i) => {
      if (n > mostChecked) return null
      const [ui, si, vi] = [item(u, i, size), item(s, i, n), item(v, i, size)]
      const right = Float64Array.from(vi, (_, at) => si[Math.floor(at / n)]! * vi[(at % n) * n + Math.floor(at / n)]!)
      return ratio(inputs[0]!, i, ui, right, n, dtype)
    })
  const own = racer(context, inputs, [batch, n, n], {
    method: 'svd',
    run: (a) => svd(a),
    error: ({ s, u, v }) => error(u!.data(), s.data(), v!.data()),
    // Of the classical algorithm: 8/3 n^3 reduction, 4/3 n^3 for each set of vectors, 6 n^3 for each by rotations.
    flop: () => (8 / 3 + 8 / 3 + 12) * batch * n ** 3,
  })
  const result = await hold({ op: 'svd', n, batch, dtype, condition: null, own: [own], peers: peer() }, context)
  own.dispose()
  return result

  function peer(): Peer[] {
    if (!context.openblas) return []
    const { native } = context.openblas
    const [u, v, s] = [inputs[0]!.slice(), inputs[0]!.slice(), inputs[0]!.slice(0, batch * n)]
    const run = (round: number) => native.svd(inputs[round % sets]!, s, u, v, n, batch)
    return [{ name: 'openblas', matrices: batch, run, error: () => error(u, s, transposed(v, n, batch)) }]
  }
}

/** A contestant of ours that keeps the result of its last round. */
function racer<Result extends object>(
  { device }: Context,
  inputs: readonly Floats[],
  shape: readonly number[],
  op: { method: string; run(a: Tensor): Result; error(result: Result): number | null; flop(): number },
): Own & { dispose(): void } {
  const tensors = inputs.map((data) => device.tensor(data, shape))
  let latest: Result | undefined
  const release = () => {
    for (const part of Object.values(latest ?? {})) if (Tensor.isTensor(part)) part.dispose()
  }
  return {
    method: op.method,
    run: (round) => {
      release()
      latest = op.run(tensors[round % sets]!)
    },
    error: () => op.error(latest!),
    flop: op.flop,
    dispose: () => {
      release()
      for (const tensor of tensors) tensor.dispose()
    },
  }
}

/** |A - X Y| / (n ulp |A|) in the Frobenius norm. */
function ratio(inputs: Floats, index: number, x: Float64Array, y: Float64Array, n: number, dtype: DType): number {
  const a = item(inputs, index, n * n)
  const product = multiply(n, n, n, x, y)
  let error = 0
  let norm = 0
  a.forEach((value, at) => {
    error += (value - product[at]!) ** 2
    norm += value ** 2
  })
  return Math.sqrt(error / norm) / (n * precision[dtype].ulp)
}

function transposed(x: Floats, n: number, batch: number): Floats {
  const result = x.slice()
  for (let b = 0; b < batch; b++)
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) result[(b * n + i) * n + j] = x[(b * n + j) * n + i]!
  return result
}
