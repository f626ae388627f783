// eigh on random matrices of every kind, sizes and batches: what claims success keeps both ratios below 10, every failure
// is one that the header names for that input, and a batch with one matrix exchanged has the same bits elsewhere.
import { describe, expect, it } from 'vitest'
import { type Device, eigh } from '../../lib/index.js'
import { randomMatrices, randomMatrix } from '../matrices/random-matrix.js'
import { type DType, eighRatios, identity, precision, Random, type ZooMatrix } from '../matrices/zoo.js'
import { devices, grid } from './devices.js'
import { expectSameBits, item, stacked } from './oracle.js'

const perCall = 40
const perSeed = grid(4000, 8 * perCall)
const judged = grid(randomMatrices, Math.min(randomMatrices, perSeed))
const bound = 10

/** The status that the header gives this input; null where either answer is right, at the edge. */
function expected({ data, n }: ZooMatrix, ulp: number): string | null {
  if (!data.every(Number.isFinite)) return 'non_finite_input'
  let [largest, asymmetry] = [0, 0]
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      largest = Math.max(largest, Math.abs(data[i * n + j]!))
      asymmetry = Math.max(asymmetry, Math.abs(data[i * n + j]! - data[j * n + i]!))
    }
  const limit = Math.sqrt(ulp) * largest
  if (Math.abs(asymmetry - limit) <= 4 * ulp * largest && asymmetry > 0) return null
  return asymmetry > limit ? 'not_symmetric' : 'ok'
}

function solve(device: Device, matrices: readonly ZooMatrix[], dtype: DType) {
  const a = stacked(device, matrices, dtype)
  const { values, vectors, report } = eigh(a)
  const result = { values: values.data(), vectors: vectors!.data(), status: report.status }
  for (const tensor of [a, values, vectors!]) tensor.dispose()
  return result
}

describe(`eigh on ${judged} random matrices`, () => {
  it.each([...Array(Math.ceil(judged / perSeed)).keys()])('seed %i', (seed) => {
    const random = new Random(70_000 + seed)
    const testDevices = devices().map((testDevice) => testDevice.open())
    for (let call = 0; call < perSeed / perCall; call++) {
      const device = call % 2 === 0 ? random.pick(testDevices) : testDevices[0]!
      const dtype = random.uniform() < 0.7 ? 'f32' : 'f64'
      const { ulp } = precision[dtype]
      const n = random.integer(1, 20)
      const matrices = Array.from({ length: perCall }, () => randomMatrix(n, dtype, random))
      const found = solve(device, matrices, dtype)
      matrices.forEach((matrix, i) => {
        const where = `seed ${seed}, call ${call}, item ${i}: ${matrix.name}, n = ${n}, ${dtype}, ${device.isa}`
        const wanted = expected(matrix, ulp)
        if (wanted !== null && found.status[i] !== wanted) expect.fail(`${found.status[i]}, not ${wanted}: ${where}`)
        if (found.status[i] !== 'ok') return
        const [w, v] = [item(found.values, i, n), item(found.vectors, i, n * n)]
        const { residual, orthogonality } = eighRatios(matrix.data, w, v, n, ulp)
        if (!(residual < bound && orthogonality < bound))
          expect.fail(`ratios ${residual} and ${orthogonality}: ${where}`)
      })
      const exchanged = random.integer(0, perCall - 1)
      const other = solve(
        device,
        matrices.map((matrix, i) => (i === exchanged ? identity(n, Number.NaN) : matrix)),
        dtype,
      )
      for (const i of [exchanged - 1, exchanged + 1])
        if (i >= 0 && i < perCall) {
          expectSameBits(other.values.slice(i * n, (i + 1) * n), found.values.slice(i * n, (i + 1) * n))
          const size = n * n
          expectSameBits(other.vectors.slice(i * size, (i + 1) * size), found.vectors.slice(i * size, (i + 1) * size))
        }
    }
    for (const device of testDevices) device.dispose()
  })
})
