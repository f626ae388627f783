// Finds the crossovers of this machine (native/core/crossovers.hpp): every route of an op is forced by a table of its own
// and timed against the other, on one thread, and the rows say where which is faster.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  cholesky,
  type Device,
  eigh,
  gram,
  type Isa,
  inverseRoot,
  KronrootError,
  matmul,
  normEstimate,
  open,
  orthogonalize,
  qr,
  spdInverse,
  spdSolve,
  svd,
  Tensor,
  triangularSolve,
} from '../lib/index.js'
import type { DType } from '../test/matrices/zoo.js'
import { interleaved } from './harness.js'
import { spectralBatch } from './inputs.js'

const budget = { seconds: 0.04, minimum: 5 }
const dtypes: readonly DType[] = ['f32', 'f64']

interface LaneCase {
  readonly op: string
  run(a: Tensor, out: Tensor): void
}

const laneCases: readonly LaneCase[] = [
  { op: 'matmul', run: (a, out) => void matmul(a, a, { out }) },
  { op: 'gram', run: (a, out) => void gram(a, { out }) },
  { op: 'eigh', run: (a) => disposed(eigh(a)) },
  { op: 'eigh_values', run: (a) => disposed(eigh(a, { vectors: false })) },
  { op: 'inverse_root', run: (a, out) => void inverseRoot(a, { p: 4, ridge: { relative: 1e-4 }, out }) },
  { op: 'cholesky', run: (a, out) => void cholesky(a, { out }) },
  { op: 'spd_inverse', run: (a, out) => void spdInverse(a, { out }) },
  { op: 'orthogonalize', run: (a, out) => void orthogonalize(a, { out }) },
  { op: 'spd_solve', run: (a, out) => void spdSolve(a, a, { out }) },
  { op: 'qr', run: (a) => disposed(qr(a)) },
  { op: 'svd', run: (a) => disposed(svd(a)) },
  { op: 'triangular_solve', run: (a, out) => void triangularSolve(a, a, { out }) },
  { op: 'spectral_norm', run: (a) => disposed(normEstimate(a)) },
  { op: 'exact_norm', run: (a) => disposed(normEstimate(a, { kind: 'frobenius' })) },
]
const laneOrders = [4, 8, 12, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128]
const laneBatches = [1, 2, 3, 4, 6, 8, 12, 16]

/** Roots whose minimax step takes 4, 5, 6 and 7 products (core/planner.hpp). */
const minimaxRoots = [
  [2, 4],
  [4, 5],
  [8, 6],
  [16, 7],
] as const
const minimaxConditions: Readonly<Record<DType, readonly number[]>> = { f32: [1e2, 1e3, 2e5, 2e7], f64: [2e5, 1e13] }
const minimaxOrders = [8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024]
const splitOrders = [32, 48, 64, 80, 96, 128, 160, 192, 256, 384, 512]

function disposed(result: object): void {
  for (const part of Object.values(result)) if (Tensor.isTensor(part)) part.dispose()
}

/** A device of one thread under a table of crossovers. */
function deviceUnder(table: string, isa: Isa): Device {
  const folder = mkdtempSync(join(tmpdir(), 'kronroot-tune-'))
  const file = join(folder, 'table')
  writeFileSync(file, table)
  const before = process.env.KRONROOT_CROSSOVERS
  process.env.KRONROOT_CROSSOVERS = file
  try {
    return open('cpu', { isa, threads: 1 })
  } finally {
    if (before === undefined) delete process.env.KRONROOT_CROSSOVERS
    else process.env.KRONROOT_CROSSOVERS = before
    rmSync(folder, { recursive: true })
  }
}

/** Time on the first device over time on the second. */
async function timeRatio(
  devices: readonly [Device, Device],
  n: number,
  batch: number,
  dtype: DType,
  condition: number,
  run: (a: Tensor, out: Tensor) => void,
): Promise<number> {
  const data = spectralBatch(n, batch, condition, dtype, 1)
  const calls = devices.map((device) => {
    const a = device.tensor(data, [batch, n, n])
    const out = device.empty([batch, n, n], { dtype })
    return { run: () => run(a, out), tensors: [a, out] }
  })
  const [first, second] = await interleaved(
    calls.map((call, i) => ({ name: String(i), run: call.run })),
    budget,
  )
  for (const tensor of calls.flatMap(({ tensors }) => tensors)) tensor.dispose()
  return first!.median / second!.median
}

/** Rows `lanes ISA OP DTYPE N BATCH`. */
async function laneRows(isa: Isa): Promise<string[]> {
  const every = laneCases.flatMap(({ op }) => dtypes.map((dtype) => `lanes ${isa} ${op} ${dtype} 1000000 1`))
  const devices = [deviceUnder(every.join('\n'), isa), deviceUnder('', isa)] as const
  const rows: string[] = []
  for (const { op, run } of laneCases)
    for (const dtype of dtypes) {
      // The least batch that pays grows with n.
      const steps: { n: number; batch: number }[] = []
      let from = 0
      for (const n of laneOrders) {
        while (from < laneBatches.length) {
          if ((await timeRatio(devices, n, laneBatches[from]!, dtype, 1e4, run)) <= 1) break
          from++
        }
        const batch = laneBatches[from]
        if (batch === undefined) break
        const last = steps.at(-1)
        if (last?.batch === batch) last.n = n
        else steps.push({ n, batch })
      }
      for (const { n, batch } of steps) rows.push(`lanes ${isa} ${op} ${dtype} ${n} ${batch}`)
    }
  for (const device of devices) device.dispose()
  return rows
}

/** Rows `minimax ISA DTYPE PRODUCTS CONDITION FROM N`: the orders at which it is the faster of two single matrices. */
async function minimaxRows(isa: Isa): Promise<string[]> {
  const always = dtypes.flatMap((dtype) =>
    minimaxRoots.map(([, products]) => `minimax ${isa} ${dtype} ${products} 1e30 0 1000000`),
  )
  const devices = [deviceUnder(always.join('\n'), isa), deviceUnder('', isa)] as const
  const rows: string[] = []
  for (const dtype of dtypes)
    for (const [p, products] of minimaxRoots)
      for (const condition of minimaxConditions[dtype]) {
        const run = (a: Tensor, out: Tensor) =>
          void inverseRoot(a, { p, ridge: { relative: 1 / condition }, out, onFailure: 'keep' })
        const faster: boolean[] = []
        for (const n of minimaxOrders) faster.push((await timeRatio(devices, n, 1, dtype, 2 * condition, run)) < 1)
        for (const [first, last] of stretches(faster))
          rows.push(
            `minimax ${isa} ${dtype} ${products} ${condition} ${first === 0 ? 0 : minimaxOrders[first]} ${minimaxOrders[last]}`,
          )
      }
  for (const device of devices) device.dispose()
  return rows
}

/** Row `split amx ORDER`: the order from which on products are the faster of bf16 parts; none where none is. */
async function splitRows(isa: Isa): Promise<string[]> {
  const devices = [deviceUnder('split amx 1', isa), deviceUnder('', isa)] as const
  const faster: boolean[] = []
  for (const n of splitOrders)
    faster.push((await timeRatio(devices, n, 4, 'f32', 1e2, (a, out) => void matmul(a, a, { out }))) < 1)
  for (const device of devices) device.dispose()
  const last = stretches(faster).at(-1)
  return last?.[1] === splitOrders.length - 1 ? [`split ${isa} ${splitOrders[last[0]]}`] : []
}

/** [first, last] of every stretch of true. */
export function stretches(flags: readonly boolean[]): (readonly [number, number])[] {
  const found: [number, number][] = []
  flags.forEach((flag, i) => {
    const last = found.at(-1)
    if (flag && last?.[1] === i - 1) last[1] = i
    else if (flag) found.push([i, i])
  })
  return found
}

function availableIsas(): Isa[] {
  return (['baseline', 'avx2', 'avx512', 'amx'] as const).filter((isa) => {
    try {
      open('cpu', { isa }).dispose()
      return true
    } catch (error) {
      if (error instanceof KronrootError) return false
      throw error
    }
  })
}

/** The table in native/core/crossovers.inc without the rows of these instruction sets. */
function otherRows(isas: readonly string[]): string[] {
  const text = readFileSync('native/core/crossovers.inc', 'utf8')
  return text
    .split('\n')
    .filter((line) => /^(lanes|minimax|split) /.test(line))
    .filter((line) => !isas.includes(line.split(' ')[1]!))
}

/**
 * Measures every instruction set of this machine and gives the table as text.
 *
 * @param processor named in the table
 */
export async function tune(processor: string, log: (line: string) => void): Promise<string> {
  const isas = availableIsas()
  const rows = otherRows(isas)
  // What amx shares with avx512 has one set of rows.
  for (const isa of isas)
    for (const measure of isa === 'amx' ? [splitRows] : [laneRows, minimaxRows])
      for (const row of await measure(isa)) {
        log(row)
        rows.push(row)
      }
  return [
    '# Made by `npm run tune`; what the rows mean: native/core/crossovers.hpp.',
    `# ${isas.join(', ')}: ${processor}, ${new Date().toISOString().slice(0, 10)}`,
    ...rows,
    '',
  ].join('\n')
}
