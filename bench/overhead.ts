// What a call costs beside its arithmetic: 4 x 4 matrices, driven by `benchmark`; ms are milliseconds per call.
import Benchmark from 'benchmark'
import {
  cholesky,
  type Device,
  eigh,
  elementwiseUpdate,
  gram,
  inverseRoot,
  kronApply,
  kronSolve,
  matmul,
  modeProduct,
  orthogonalize,
  qr,
  reduce,
  spdInverse,
  spdSolve,
  svd,
} from '../lib/index.js'
import { graded, Random, typed } from '../test/matrices/zoo.js'
import type { Context } from './contest.js'
import { summary } from './harness.js'
import type { MlMatrixPeer } from './peers/ml-matrix.js'
import { type Measured, measured } from './row.js'

const n = 4

interface Call {
  readonly op: string
  readonly own: () => void
  readonly peer?: () => void
}

export async function* rows(context: Context): AsyncGenerator<Measured> {
  const seconds = context.quick ? 0.4 : 1.5
  const subject = {
    n,
    batch: 1,
    dtype: 'f32',
    condition: null,
    device: context.device.kind,
    isa: context.device.isa,
  } as const
  for (const { op, own, peer } of calls(context.device, context.mlMatrix)) {
    const ours = { ...drive(op, own, seconds), error: null, method: 'call', flop: null }
    const rival = peer ? { ...drive(op, peer, seconds), error: null, name: 'ml-matrix' } : null
    yield measured({ op, ...subject }, ours, rival, null)
  }
  yield await asynchronous(context.device, subject, seconds)
}

function calls(device: Device, mlMatrix: MlMatrixPeer | undefined): Call[] {
  const { data } = graded(n, 10, { dtype: 'f32', random: new Random(1) })
  const numbers = typed('f32', data)
  const a = device.tensor(numbers, [n, n])
  const [out, right, values] = [device.empty([n, n]), device.empty([n, n]), device.empty([n])]
  const into = new Float32Array(n * n)
  const basis = eigh(a)
  const update = { gradient: into, w: into.slice(), fromGradient: 1, lr: 0.1 }
  const matrix = mlMatrix?.matrix(data, n, n)
  const alone = (own: () => void) => ({ own })
  const against = (own: () => void, peer: (m: NonNullable<typeof matrix>, module: MlMatrixPeer) => void) =>
    matrix && mlMatrix ? { own, peer: () => peer(matrix, mlMatrix) } : { own }
  return [
    { op: 'tensor + dispose', ...alone(() => device.tensor(numbers, [n, n]).dispose()) },
    { op: 'tensor.write', ...alone(() => a.write(numbers)) },
    { op: 'tensor.read', ...alone(() => a.read(into)) },
    {
      op: 'matmul',
      ...against(
        () => matmul(a, a, { out }),
        (m) => m.mmul(m),
      ),
    },
    { op: 'gram', ...alone(() => gram(a, { out })) },
    { op: 'kronApply', ...alone(() => kronApply(a, a, a, { out })) },
    { op: 'modeProduct', ...alone(() => modeProduct(a, [a, a], { out })) },
    { op: 'kronSolve', ...alone(() => kronSolve(a, basis, basis, { out })) },
    { op: 'elementwiseUpdate', ...alone(() => elementwiseUpdate(device, 'combine', [update])) },
    { op: 'reduce', ...alone(() => reduce(device, 'dot', [{ x: numbers }])) },
    { op: 'cholesky', ...alone(() => cholesky(a, { out })) },
    { op: 'spdInverse', ...alone(() => spdInverse(a, { out })) },
    { op: 'spdSolve', ...alone(() => spdSolve(a, a, { out })) },
    {
      op: 'eigh',
      ...against(
        () => eigh(a, { out: { values, vectors: out } }),
        (m, module) => module.eigh(m),
      ),
    },
    { op: 'eigh, fresh', ...alone(() => disposed(eigh(a))) },
    { op: 'qr', ...alone(() => qr(a, { out: { q: out, r: right } })) },
    { op: 'svd', ...alone(() => svd(a, { out: { s: values, u: out, v: right } })) },
    {
      op: 'inverseRoot',
      ...against(
        () => inverseRoot(a, { p: 4, out }),
        (m, module) => module.symmetricFunction(m, (w) => w ** -0.25),
      ),
    },
    { op: 'orthogonalize', ...alone(() => orthogonalize(a, { out })) },
  ]
}

function disposed({ values, vectors }: ReturnType<typeof eigh>): void {
  values.dispose()
  vectors?.dispose()
}

function drive(name: string, run: () => void, seconds: number): { ms: number; spread: number | null } {
  const benchmark = new Benchmark(name, run, { maxTime: seconds })
  benchmark.run({ async: false })
  // A failing function ends the run with `error` set, and without samples.
  const { error } = benchmark as unknown as { error?: unknown }
  if (error) throw error
  return timing(benchmark)
}

/** matmul.async: from the call to the promise's answer. */
async function asynchronous(
  device: Device,
  subject: Omit<Parameters<typeof measured>[0], 'op'>,
  seconds: number,
): Promise<Measured> {
  const a = device.tensor(new Float32Array(n * n).fill(1), [n, n])
  const out = device.empty([n, n])
  const benchmark = await new Promise<Benchmark>((resolve, reject) => {
    const fn = (deferred: { resolve(): void }) => {
      matmul.async(a, a, { out }).then(() => deferred.resolve(), reject)
    }
    const deferred = new Benchmark('matmul.async', {
      defer: true,
      fn,
      maxTime: seconds,
      onComplete: () => resolve(deferred),
    })
    deferred.run({ async: true })
  })
  return measured(
    { op: 'matmul.async', ...subject },
    { ...timing(benchmark), error: null, method: 'call', flop: null },
    null,
    null,
  )
}

function timing({ stats }: Benchmark): { ms: number; spread: number | null } {
  const { median, spread } = summary(stats.sample)
  return { ms: median * 1e3, spread }
}
