// What kronroot takes on a CUDA device, for the ops, sizes and inputs of peers.py: node kronroot.mjs [SECONDS] > results.json.
// Milliseconds a call: calls are enqueued until a tenth of a second is full, then awaited; medians. Errors are relative
// Frobenius errors against f64 on the CPU, worst of the first eight matrices.
import { eigh, gram, inverseRoot, matmul, open, orthogonalize, qr, spdInverse } from '../../dist/esm/index.js'

const sizes = { 4: 16384, 8: 16384, 16: 8192, 32: 4096, 64: 2048, 128: 512, 256: 64, 512: 16, 1024: 8 }
const checked = 8
const until = performance.now() + 1e3 * Number(process.argv[2] ?? 1e6)
const device = open('cuda')
const host = open('cpu')

let state = 12345
/** Uniform in [-1, 1) (Mulberry32). */
function uniform() {
  state = (state + 0x6d2b79f5) | 0
  let t = Math.imul(state ^ (state >>> 15), 1 | state)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1
}
const random = (count) => Float32Array.from({ length: count }, uniform)
/** The first `checked` matrices, over and over. */
function repeated(matrices, n, batch) {
  const few = Math.min(checked, batch)
  const all = new Float32Array(batch * n * n)
  for (let b = 0; b < batch; b++) all.set(matrices.subarray((b % few) * n * n, ((b % few) + 1) * n * n), b * n * n)
  return all
}
/** Eigenvalues from 1 to 1 / (2 condition) in geometric progression, in random bases. */
function spectral(n, batch, condition) {
  const few = Math.min(checked, batch)
  const { q } = qr(host.tensor(Float64Array.from(random(few * n * n)), [few, n, n]))
  const basis = q.data()
  const scaled = basis.map((x, i) => x * (2 * condition) ** (-(i % n) / Math.max(n - 1, 1)))
  const a = matmul(host.tensor(scaled, [few, n, n]), q, { transposeB: true }).data()
  const symmetric = Float32Array.from(a, (x, e) => {
    const [b, i, j] = [Math.floor(e / (n * n)), Math.floor(e / n) % n, e % n]
    return (x + a[b * n * n + j * n + i]) / 2
  })
  return repeated(symmetric, n, batch)
}
function relative(found, exact, n) {
  let worst = 0
  for (let b = 0; b < exact.length / (n * n); b++) {
    let off = 0
    let all = 0
    for (let e = b * n * n; e < (b + 1) * n * n; e++) {
      off += (found[e] - exact[e]) ** 2
      all += exact[e] ** 2
    }
    worst = Math.max(worst, Math.sqrt(off / all))
  }
  return worst
}
async function median(call) {
  call()
  await device.synchronize()
  const started = performance.now()
  call()
  await device.synchronize()
  const calls = Math.max(1, Math.min(200, Math.ceil(100 / (performance.now() - started))))
  const times = []
  for (let repeat = 0; repeat < 5; repeat++) {
    const from = performance.now()
    for (let i = 0; i < calls; i++) call()
    await device.synchronize()
    times.push((performance.now() - from) / calls)
  }
  return times.sort((x, y) => x - y)[2]
}

const rows = []
async function race(op, dtype, n, batch, call, exact) {
  if (performance.now() > until) return
  const row = { op, dtype, n, batch }
  try {
    const result = call()
    if (result.report) {
      const { report } = result
      row.method = report.method[0]
      row.failures = Array.from({ length: batch }, (_, b) => report.status[b]).filter(
        (status) => status !== 'ok',
      ).length
    }
    row.error = exact ? exact(await (result.value ?? result.values ?? result).dataAsync()) : null
    row.ms = await median(call)
    row.microsecondsEach = (1e3 * row.ms) / batch
  } catch (error) {
    row.failure = `${error.code ?? ''} ${error.message}`
  }
  console.error(JSON.stringify(row))
  rows.push(row)
}

for (const [size, batch] of Object.entries(sizes)) {
  const n = Number(size)
  const few = Math.min(checked, batch)
  const start = few * n * n
  const matrices = spectral(n, batch, 1e4)
  const a = device.tensor(matrices, [batch, n, n])
  const first = host.tensor(Float64Array.from(matrices.subarray(0, start)), [few, n, n])
  const ridge = { absolute: 0.5e-4 }
  const out = device.empty([batch, n, n])
  const values = device.empty([batch, n])

  const exactValues = eigh(first, { vectors: false }).values.data()
  await race(
    'eigh',
    'f32',
    n,
    batch,
    () => eigh(a, { out: { values, vectors: out } }),
    (found) => {
      let worst = 0
      for (let b = 0; b < few; b++) {
        let off = 0
        let all = 0
        for (let i = b * n; i < (b + 1) * n; i++) {
          off += (found[i] - exactValues[i]) ** 2
          all += exactValues[i] ** 2
        }
        worst = Math.max(worst, Math.sqrt(off / all))
      }
      return worst
    },
  )
  for (const p of [4, 2]) {
    const exact = inverseRoot(first, { p, ridge, method: 'eigh' }).value.data()
    await race(
      `inverse root 1/${p}`,
      'f32',
      n,
      batch,
      () => inverseRoot(a, { p, ridge, out }),
      (x) => relative(x, exact, n),
    )
  }
  const inverse = spdInverse(first, { ridge }).value.data()
  await race(
    'spd inverse',
    'f32',
    n,
    batch,
    () => spdInverse(a, { ridge, out }),
    (x) => relative(x, inverse, n),
  )

  const square = repeated(random(start), n, batch)
  const g = device.tensor(square, [batch, n, n])
  const g64 = host.tensor(Float64Array.from(square.subarray(0, start)), [few, n, n])
  const polynomial = orthogonalize(g64).value.data()
  for (const [precision, dtype] of [
    ['full', 'f32'],
    ['bf16', 'bf16'],
  ]) {
    await race(
      'newton-schulz',
      dtype,
      n,
      batch,
      () => orthogonalize(g, { precision, out }),
      (x) => relative(x, polynomial, n),
    )
  }
  const product = matmul(g64, g64).data()
  await race(
    'matmul',
    'f32',
    n,
    batch,
    () => matmul(g, g, { out }),
    (x) => relative(x, product, n),
  )
  const squares = gram(g64).data()
  await race(
    'gram',
    'f32',
    n,
    batch,
    () => gram(g, { out }),
    (x) => relative(x, squares, n),
  )
  for (const tensor of [a, out, values, g]) tensor.dispose()
}
process.stdout.write(`${JSON.stringify({ machine: { device: device.name, isa: device.isa }, rows }, null, 1)}\n`)
