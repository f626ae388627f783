// triangularSolve with lower triangles, as many right-hand sides as rows and one: against trsm and trsv of OpenBLAS, which
// neither look for NaN nor measure a residual.
import { triangularSolve } from '../lib/index.js'
import { type DType, multiply, precision } from '../test/matrices/zoo.js'
import { type Context, hold, type Own, type Peer } from './contest.js'
import { type Floats, gaussianBatch, item, sets, worst } from './inputs.js'
import type { Measured } from './row.js'
import { batches } from './sizes.js'

/** Accuracy is not checked above this order: its products run in JavaScript. */
const mostChecked = 512

export async function triangularSolveOfOrder(context: Context, n: number, dtype: DType): Promise<Measured[]> {
  return [...(await contest(context, n, n, dtype)), ...(await contest(context, n, 1, dtype))]
}

async function contest({ device, ...context }: Context, n: number, columns: number, dtype: DType): Promise<Measured[]> {
  const batch = batches[n]!
  const [size, width] = [n * n, n * columns]
  const triangles = Array.from({ length: sets }, (_, set) => triangularBatch(n, batch, dtype, 2 * set + 1))
  const rights = Array.from({ length: sets }, (_, set) => gaussianBatch(batch * width, dtype, 2 * set + 2))
  const [t, b] = [triangles, rights].map((inputs, i) =>
    inputs.map((data) => device.tensor(data, [batch, n, i === 0 ? n : columns])),
  ) as [ReturnType<typeof device.tensor>[], ReturnType<typeof device.tensor>[]]
  const out = device.empty([batch, n, columns], { dtype })
  // |T X - B| / (n ulp |T| |X|) in the Frobenius norm.
  const error = (x: Floats) =>
    worst(n, batch, (i) => {
      if (n > mostChecked) return null
      const [ti, bi, xi] = [item(triangles[0]!, i, size), item(rights[0]!, i, width), item(x, i, width)]
      ti.forEach((_, at) => {
        if (at % n > Math.floor(at / n)) ti[at] = 0
      })
      const product = multiply(n, columns, n, ti, xi)
      const residual = norm(product.map((value, at) => value - bi[at]!))
      return residual / (n * precision[dtype].ulp * norm(ti) * norm(xi))
    })
  const own: Own = {
    method: columns === 1 ? '1 right-hand side' : 'n right-hand sides',
    run: (round) => void triangularSolve(t[round % sets]!, b[round % sets]!, { out }),
    error: () => error(out.data()),
    flop: () => batch * n * n * columns,
  }
  const subject = { op: 'triangular-solve', n, batch, dtype, condition: null }
  const result = await hold({ ...subject, own: [own], peers: peer() }, { device, ...context })
  for (const tensor of [...t, ...b, out]) tensor.dispose()
  return result

  function peer(): Peer[] {
    if (!context.openblas) return []
    const { native } = context.openblas
    const x = rights[0]!.slice()
    const run = (round: number) =>
      native.triangularSolve(triangles[round % sets]!, rights[round % sets]!, x, n, columns, batch)
    return [{ name: 'openblas', matrices: batch, run, error: () => error(x) }]
  }
}

/** Well-conditioned lower triangles; above the diagonal stands what nobody may read. */
function triangularBatch(n: number, batch: number, dtype: DType, seed: number): Floats {
  const data = gaussianBatch(batch * n * n, dtype, seed)
  for (let s = 0; s < batch; s++)
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        const at = (s * n + i) * n + j
        data[at] = i === j ? 2 + Math.abs(data[at]!) : j < i ? data[at]! / Math.sqrt(n) : Number.NaN
      }
  return data
}

function norm(x: Float64Array): number {
  return Math.sqrt(x.reduce((sum, value) => sum + value ** 2, 0))
}
