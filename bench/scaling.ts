// How the time of a call grows with n and with the batch: n^3 above 128, linear in the batch.
import { type Device, eigh, inverseRoot, matmul, spdInverse, type Tensor } from '../lib/index.js'
import { type Context, hold, type Own } from './contest.js'
import { spectralBatch } from './inputs.js'
import type { Measured } from './row.js'

/** Neighbouring orders, a factor of about 1.4 apart, and the batches at n = 64. */
const growingOrders = [128, 192, 256, 384, 512, 768, 1024]
const growingBatches = [64, 128, 256, 512, 1024]
const condition = 1e4

interface Scaled {
  readonly op: string
  run(a: Tensor, out: Tensor): void
}

const ops: readonly Scaled[] = [
  { op: 'matmul', run: (a, out) => void matmul(a, a, { out }) },
  {
    op: 'eigh',
    run: (a) => {
      const { values, vectors } = eigh(a)
      values.dispose()
      vectors!.dispose()
    },
  },
  { op: 'inverse root 1/4', run: (a, out) => void inverseRoot(a, { p: 4, ridge: { relative: 1 / condition }, out }) },
  { op: 'spd inverse', run: (a, out) => void spdInverse(a, { ridge: { relative: 1 / condition }, out }) },
]

export async function* rows(context: Context): AsyncGenerator<Measured> {
  const { device, quick } = context
  for (const scaled of ops) {
    for (const n of quick ? growingOrders.slice(0, 3) : growingOrders) yield await point(context, device, scaled, n, 4)
    for (const batch of quick ? growingBatches.slice(0, 3) : growingBatches)
      yield await point(context, device, scaled, 64, batch)
  }
}

async function point(context: Context, device: Device, { op, run }: Scaled, n: number, batch: number) {
  const a = device.tensor(spectralBatch(n, batch, condition, 'f32', 1), [batch, n, n])
  const out = device.empty([batch, n, n])
  const own: Own = { method: 'scaling', run: () => run(a, out), error: () => null, flop: () => null }
  const [measured] = await hold({ op, n, batch, dtype: 'f32', condition, own: [own], peers: [] }, context)
  a.dispose()
  out.dispose()
  return measured!
}

export interface Slope {
  readonly op: string
  readonly variable: 'n' | 'batch'
  readonly from: number
  readonly to: number
  /** Time at `to` over time at `from`, divided by (to / from)^3 for n and by to / from for the batch. */
  readonly growth: number
  /** log(time ratio) / log(to / from) */
  readonly exponent: number
}

/** Growth between neighbouring points of rows made by this subject. */
export function slopes(measurements: readonly Measured[]): Slope[] {
  const points = measurements.map(({ row }) => row).filter(({ method }) => method === 'scaling')
  return ops.flatMap(({ op }) => {
    const mine = points.filter((row) => row.op === op)
    return [
      ...neighbours(
        op,
        'n',
        mine.filter(({ batch }) => batch === 4),
      ),
      ...neighbours(
        op,
        'batch',
        mine.filter(({ n }) => n === 64),
      ),
    ]
  })
}

function neighbours(op: string, variable: Slope['variable'], line: readonly Measured['row'][]): Slope[] {
  return line.slice(1).map((row, i) => {
    const before = line[i]!
    const step = row[variable] / before[variable]
    const time = row.ms / before.ms
    return {
      op,
      variable,
      from: before[variable],
      to: row[variable],
      growth: time / step ** (variable === 'n' ? 3 : 1),
      exponent: Math.log(time) / Math.log(step),
    }
  })
}

export function formatSlope({ op, variable, from, to, growth, exponent }: Slope): string {
  const law = variable === 'n' ? 'n^3' : 'batch'
  return `${op}, ${variable} ${from} to ${to}: exponent ${exponent.toFixed(2)}, ${growth.toFixed(2)} of ${law}`
}
