// cholesky: "|L L^T - A| / (n ulp |A|) < 10 (1-norms)", zeros above the diagonal, pivots <= 0 reported with their index.
import { afterAll, describe, expect, it } from 'vitest'
import { cholesky, type Device, open } from '../../lib/index.js'
import {
  choleskyRatio,
  type DType,
  diagonal,
  graded,
  hilbert,
  identity,
  lapackType,
  minij,
  precision,
  Random,
  scaleSweep,
  shampooEma,
  type ZooMatrix,
} from '../matrices/zoo.js'
import { devicesByRank } from './devices.js'
import { expectSameBits, item, multiplyOn, stacked } from './oracle.js'

const { main, others } = devicesByRank()
const dtypes: readonly DType[] = ['f32', 'f64']
const product = open('cpu')
afterAll(() => product.dispose())

function check(device: Device, matrices: readonly ZooMatrix[], dtype: DType): void {
  const n = matrices[0]!.n
  const a = stacked(device, matrices, dtype)
  const { value, report } = cholesky(a)
  for (const [index, { name, data }] of matrices.entries()) {
    const where = `${name}, n = ${n}, ${dtype}`
    expect(report.status[index], where).toBe('ok')
    const l = item(value.data(), index, n * n)
    for (let i = 0; i < n; i++)
      for (let j = i + 1; j < n; j++) if (l[i * n + j] !== 0) expect.fail(`above the diagonal: ${where}`)
    expect(choleskyRatio(data, l, n, precision[dtype].ulp, multiplyOn(product)), where).toBeLessThan(10)
    if (n === 0) continue
    const pivots = Array.from({ length: n }, (_, i) => l[i * n + i]!)
    const condition = (Math.max(...pivots) / Math.min(...pivots)) ** 2
    expect(report.condition[index]! / condition, `condition, ${where}`).toBeCloseTo(1, 3)
  }
  a.dispose()
  value.dispose()
}

const positive = (n: number, dtype: DType, random: Random) => [
  graded(n, 1e3, { dtype, random }),
  identity(n),
  lapackType(2, n, { dtype, random }),
  minij(n, dtype),
  shampooEma(n, { dtype, random, steps: 10, columns: n }),
]

describe.each([main, ...others])('cholesky on $label', (testDevice) => {
  const sizes =
    testDevice === main ? [...Array(21).keys(), 31, 32, 33, 63, 64, 65, 127, 128, 129, 257] : [1, 2, 7, 16, 33, 65, 129]

  describe.each(dtypes)('%s', (dtype) => {
    it('factors positive definite matrices within the bound', () => {
      const device = testDevice.open()
      for (const n of sizes) check(device, positive(n, dtype, new Random(n)), dtype)
      check(device, scaleSweep(12, { dtype, random: new Random(1) }), dtype)
      check(device, [hilbert(dtype === 'f32' ? 4 : 9, dtype)], dtype)
      device.dispose()
    })

    it('reports the index of the first pivot that is not positive, and keeps the neighbours', () => {
      const device = testDevice.open()
      for (const n of [1, 3, 17, 70]) {
        const good = positive(n, dtype, new Random(n))
        const clean = cholesky(stacked(device, good, dtype)).value.data()
        for (const pivot of new Set([0, n >> 1, n - 1])) {
          const values = new Float64Array(n).fill(1)
          values[pivot] = -1
          const bad: ZooMatrix = { name: 'indefinite', n, data: diagonal(values) }
          const { value, report } = cholesky(
            stacked(
              device,
              good.map((matrix, i) => (i === 1 ? bad : matrix)),
              dtype,
            ),
          )
          expect(report.status).toEqual(['ok', 'not_positive_definite', 'ok', 'ok', 'ok'])
          expect(report.detail[1]).toBe(pivot)
          const data = value.data()
          expectSameBits(data.slice(0, n * n), clean.slice(0, n * n))
          expectSameBits(data.slice(2 * n * n), clean.slice(2 * n * n))
          expect(data.subarray(n * n, 2 * n * n).every(Number.isNaN)).toBe(true)
        }
      }
      device.dispose()
    })

    it('reads the lower triangle only, and names non-finite input', () => {
      const device = testDevice.open()
      const { data, n } = graded(6, 10, { dtype, random: new Random(2) })
      const expected = cholesky(stacked(device, [{ name: '', n, data }], dtype)).value.data()
      const upper = data.map((x, index) => (index % n > Math.floor(index / n) ? 99 : x))
      expectSameBits(cholesky(stacked(device, [{ name: '', n, data: upper }], dtype)).value.data(), expected)
      const poisoned = data.map((x, index) => (index === 3 * n + 1 ? Number.NaN : x))
      expect(cholesky(stacked(device, [{ name: '', n, data: poisoned }], dtype)).report.status).toEqual([
        'non_finite_input',
      ])
      device.dispose()
    })

    it('adds the ridge', () => {
      const device = testDevice.open()
      const { value, report } = cholesky(stacked(device, [{ name: 'zero', n: 3, data: new Float64Array(9) }], dtype), {
        ridge: { absolute: 4 },
      })
      expect(report.status).toEqual(['ok'])
      expect(Array.from(value.data())).toEqual([2, 0, 0, 0, 2, 0, 0, 0, 2])
      device.dispose()
    })

    // Small matrices take another path alone than in a batch, large ones the same.
    it.each([
      { n: 45, count: 33, fewer: 17 },
      { n: 300, count: 3, fewer: 1 },
    ])('has the same bits in batches of $count and $fewer and on two threads, n = $n', ({ n, count, fewer }) => {
      const one = testDevice.open({ threads: 1 })
      const two = testDevice.open({ threads: 2 })
      const batch = Array.from({ length: count }, (_, i) => graded(n, 10 ** (i % 4), { dtype, random: new Random(i) }))
      const whole = cholesky(stacked(one, batch, dtype)).value.data()
      expectSameBits(cholesky(stacked(two, batch, dtype)).value.data(), whole)
      for (const first of [0, count - fewer]) {
        const part = cholesky(stacked(two, batch.slice(first, first + fewer), dtype)).value.data()
        expectSameBits(part, whole.slice(first * n * n, (first + fewer) * n * n))
      }
      one.dispose()
      two.dispose()
    })
  })
})
