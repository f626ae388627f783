// normEstimate of square Gaussian matrices, the certain upper bound of the spectral norm and the Frobenius norm; gesdd of
// OpenBLAS for singular values alone is the peer of the former.
import { normEstimate, svd } from '../lib/index.js'
import type { DType } from '../test/matrices/zoo.js'
import { type Context, hold, type Own, type Peer } from './contest.js'
import { checked, type Floats, gaussianBatch, sets } from './inputs.js'
import type { Measured } from './row.js'
import { batches } from './sizes.js'

/** Above this order the reference takes too long to tell sigma_max. */
const mostChecked = 128

export async function normEstimateOfOrder(context: Context, n: number, dtype: DType): Promise<Measured[]> {
  const { device, reference } = context
  const batch = n >= 64 ? Math.max(4, batches[n]! / 8) : batches[n]!
  const count = checked(n, batch)
  const inputs = Array.from({ length: sets }, (_, set) => gaussianBatch(batch * n * n, dtype, set + 1))
  const tensors = inputs.map((data) => device.tensor(data, [batch, n, n]))
  const out = device.empty([batch, 1], { dtype })
  const few = Float64Array.from(inputs[0]!.subarray(0, count * n * n))
  // The largest |value - exact| / exact.
  const error = (exact: ArrayLike<number>, stride: number, values: Floats, step: number) => {
    let largest = 0
    for (let i = 0; i < count; i++) largest = Math.max(largest, Math.abs(values[i * step]! / exact[i * stride]! - 1))
    return largest
  }
  const ofSigma = (values: Floats, step: number) =>
    n > mostChecked
      ? null
      : error(svd(reference.tensor(few, [count, n, n]), { vectors: false }).s.data(), n, values, step)
  const variant = (kind: 'spectral' | 'frobenius', flop: number, judge: () => number | null): Own => ({
    method: kind,
    run: (round) => void normEstimate(tensors[round % sets]!, { kind, out }),
    error: judge,
    flop: () => flop,
  })
  const spectral = variant('spectral', batch * 3 * n ** 3, () => ofSigma(out.data(), 1))
  const frobenius = variant('frobenius', batch * 2 * n * n, () => {
    const exact = normEstimate(reference.tensor(few, [count, n, n]), { kind: 'frobenius' }).value.data()
    return error(exact, 1, out.data(), 1)
  })
  const peers: Peer[] = []
  if (context.openblas) {
    const { native } = context.openblas
    const s = inputs[0]!.slice(0, batch * n)
    const run = (round: number) => native.singularValues(inputs[round % sets]!, s, n, batch)
    peers.push({ name: 'openblas', matrices: batch, against: [spectral], run, error: () => ofSigma(s, n) })
  }
  const subject = { op: 'norm-estimate', n, batch, dtype, condition: null }
  const result = await hold({ ...subject, own: [spectral, frobenius], peers }, context)
  for (const tensor of [...tensors, out]) tensor.dispose()
  return result
}
