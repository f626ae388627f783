// matmul: "|C - exact| <= (k + 2) ulp (|alpha| |A| |B| + |beta C|), elementwise" (native/include/kronroot/ops.h).
import { describe, expect, it } from 'vitest'
import { type Device, matmul, type Tensor } from '../../lib/index.js'
import { accurateDot, type DType, precision, Random, typed } from '../matrices/zoo.js'
import { devicesByRank, grid } from './devices.js'
import { expectSameBits } from './oracle.js'

const { main, others } = devicesByRank()
const dtypes: readonly DType[] = ['f32', 'f64']

interface Case {
  readonly m: number
  readonly n: number
  readonly k: number
  readonly batch?: number
  readonly transposeA?: boolean
  readonly transposeB?: boolean
  readonly alpha?: number
  readonly beta?: number
}

function check(device: Device, dtype: DType, options: Case, random: Random): void {
  const { m, n, k, batch = 1, transposeA = false, transposeB = false, alpha = 1, beta = 0 } = options
  const draw = (rows: number, columns: number) => {
    const data = typed(dtype, random.normals(batch * rows * columns))
    return { data, tensor: device.tensor(data, [batch, rows, columns]) }
  }
  const a = transposeA ? draw(k, m) : draw(m, k)
  const b = transposeB ? draw(n, k) : draw(k, n)
  const before = draw(m, n)
  const out = device.tensor(beta === 0 ? before.data.map(() => Number.NaN) : before.data, [batch, m, n])
  const result = matmul(a.tensor, b.tensor, { transposeA, transposeB, alpha, beta, out })
  expect(result).toBe(out)
  const c = out.data()
  const { ulp } = precision[dtype]
  const row = new Float64Array(k + 1)
  const column = new Float64Array(k + 1)
  for (let s = 0; s < batch; s++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let magnitude = 0
        for (let l = 0; l < k; l++) {
          row[l] = alpha * (transposeA ? a.data[(s * k + l) * m + i]! : a.data[(s * m + i) * k + l]!)
          column[l] = transposeB ? b.data[(s * n + j) * k + l]! : b.data[(s * k + l) * n + j]!
          magnitude += Math.abs(row[l]! * column[l]!)
        }
        row[k] = beta
        column[k] = before.data[(s * m + i) * n + j]!
        magnitude += Math.abs(beta * column[k]!)
        const error = Math.abs(c[(s * m + i) * n + j]! - accurateDot(row, column))
        if (!(error <= (k + 2) * ulp * magnitude))
          expect.fail(`${JSON.stringify(options)} ${dtype}: error ${error} at (${s}, ${i}, ${j})`)
      }
  for (const tensor of [a.tensor, b.tensor, before.tensor, out]) tensor.dispose()
}

describe.each([main, ...others])('matmul on $label', (testDevice) => {
  describe.each(dtypes)('%s', (dtype) => {
    it('every size from 0 to 9 in every dimension', () => {
      const device = testDevice.open()
      const random = new Random(1)
      for (const m of [0, 1, 2, 3, 5, 8, 9])
        for (const n of [0, 1, 2, 3, 5, 8, 9])
          for (const k of [0, 1, 2, 3, 7, 8]) check(device, dtype, { m, n, k }, random)
      device.dispose()
    })

    it('sizes around tile edges, transposed and not', () => {
      const device = testDevice.open()
      const random = new Random(2)
      for (const [m, n, k] of [
        [15, 17, 16],
        [16, 16, 16],
        [31, 33, 64],
        [65, 12, 63],
        [1, 129, 40],
        [97, 1, 31],
        [48, 95, 129],
      ])
        for (const transposeA of [false, true])
          for (const transposeB of [false, true])
            check(device, dtype, { m: m!, n: n!, k: k!, transposeA, transposeB }, random)
      device.dispose()
    })

    it('long sums and blocks beyond the caches’', () => {
      const device = testDevice.open()
      check(device, dtype, { m: 9, n: 33, k: 1500 }, new Random(3))
      check(device, dtype, { m: 150, n: 140, k: 130, transposeB: true }, new Random(4))
      device.dispose()
    })

    it('alpha and beta', () => {
      const device = testDevice.open()
      const random = new Random(5)
      for (const [alpha, beta] of [
        [2, 0],
        [-0.5, 1],
        [0.25, -2],
        [1, 0.5],
      ])
        check(device, dtype, { m: 19, n: 35, k: 11, batch: 2, alpha: alpha!, beta: beta! }, random)
      check(device, dtype, { m: 5, n: 4, k: 0, beta: 2 }, random)
      device.dispose()
    })

    it('batches: alone, in 3 and in 33, on one thread and two, the same bits', () => {
      const one = testDevice.open({ threads: 1 })
      const two = testDevice.open({ threads: 2 })
      const [m, n, k] = [33, 50, 41]
      const random = new Random(6)
      const a = typed(dtype, random.normals(33 * m * k))
      const b = typed(dtype, random.normals(33 * k * n))
      const run = (device: Device, first: number, count: number) => {
        const left = device.tensor(a.subarray(first * m * k, (first + count) * m * k), [count, m, k])
        const right = device.tensor(b.subarray(first * k * n, (first + count) * k * n), [count, k, n])
        return matmul(left, right).data()
      }
      const whole = run(one, 0, 33)
      expectSameBits(run(two, 0, 33), whole)
      for (const [first, count] of [
        [0, 1],
        [17, 1],
        [32, 1],
        [0, 3],
        [20, 3],
      ] as const) {
        const expected = whole.slice(first * m * n, (first + count) * m * n)
        expectSameBits(run(two, first, count), expected)
      }
      one.dispose()
      two.dispose()
    })

    it('one large product has the same bits on one thread and two', () => {
      const random = new Random(7)
      const [m, k, n] = grid([300, 200, 310], [140, 70, 150])
      const a = typed(dtype, random.normals(m * k))
      const b = typed(dtype, random.normals(k * n))
      const [one, two] = [1, 2].map((threads) => {
        const device = testDevice.open({ threads })
        const data = matmul(device.tensor(a, [m, k]), device.tensor(b, [k, n])).data()
        device.dispose()
        return data
      })
      expectSameBits(two!, one!)
    })

    it('one matrix broadcasts against a batch', () => {
      const device = testDevice.open()
      const random = new Random(8)
      const shared = device.tensor(typed(dtype, random.normals(20)), [4, 5])
      const batch = device.tensor(typed(dtype, random.normals(3 * 30)), [3, 5, 6])
      const product = matmul(shared, batch)
      expect(product.shape).toEqual([3, 4, 6])
      for (let i = 0; i < 3; i++) {
        const alone: Tensor = device.tensor(batch.data().subarray(i * 30, (i + 1) * 30), [5, 6])
        expectSameBits(product.data().slice(i * 24, (i + 1) * 24), matmul(shared, alone).data())
      }
      device.dispose()
    })

    it('a NaN stays inside its matrix', () => {
      const device = testDevice.open()
      const data = typed(dtype, new Random(9).normals(3 * 16))
      const b = device.tensor(data, [3, 4, 4])
      const clean = matmul(device.tensor(data, [3, 4, 4]), b).data()
      const poisoned = data.slice()
      poisoned[16 + 5] = Number.NaN
      const product = matmul(device.tensor(poisoned, [3, 4, 4]), b).data()
      expect(product.subarray(16, 32).some(Number.isNaN)).toBe(true)
      expectSameBits(product.slice(0, 16), clean.slice(0, 16))
      expectSameBits(product.slice(32), clean.slice(32))
      device.dispose()
    })
  })
})
