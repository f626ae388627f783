// qr: bounds and defined answers of native/include/kronroot/ops.h.
//
//   "|A - Q R| / (max(m, n) ulp |A|) < 10, |Q^T Q - I| / (m ulp) < 10 (1-norms). Zeros below the diagonal of R", which
//   is >= 0; any rank and any scale.
import { afterAll, describe, expect, it } from 'vitest'
import { type Device, open, qr, type Tensor } from '../../lib/index.js'
import { type DType, precision, Random, typed } from '../matrices/zoo.js'
import { devicesByRank, isSlow } from './devices.js'
import { expectSameBits, item, multiplyOn } from './oracle.js'
import {
  fewShapes,
  manyShapes,
  oneNorm,
  orthonormalityRatio,
  type Rectangle,
  rectangles,
  stackedRectangles,
} from './rectangles.js'

const { main, others } = devicesByRank()
const dtypes: readonly DType[] = ['f32', 'f64']
const product = open('cpu')
afterAll(() => product.dispose())

function check(device: Device, matrices: readonly Rectangle[], dtype: DType, mode: 'reduced' | 'complete'): void {
  const { m, n } = matrices[0]!
  const inner = mode === 'complete' ? m : Math.min(m, n)
  const { ulp } = precision[dtype]
  const a = stackedRectangles(device, matrices, dtype)
  const { q, r, report } = qr(a, { mode })
  expect(q!.shape).toEqual([matrices.length, m, inner])
  expect(r.shape).toEqual([matrices.length, inner, n])
  const [qs, rs] = [q!.data(), r.data()]
  matrices.forEach(({ name, data }, index) => {
    const where = `${name}, ${m} x ${n}, ${dtype}`
    const [qi, ri] = [item(qs, index, m * inner), item(rs, index, inner * n)]
    expect(report.status[index], where).toBe('ok')
    expect(report.method[index], where).toBe('householder')
    const rebuilt = multiplyOn(product)(m, n, inner, qi, ri)
    const error = oneNorm(
      rebuilt.map((x, i) => x - data[i]!),
      m,
      n,
    )
    const size = oneNorm(data, m, n)
    if (size > 0) expect(error / (Math.max(m, n) * ulp * size), `A - Q R, ${where}`).toBeLessThan(10)
    else expect(error, where).toBe(0)
    expect(orthonormalityRatio(qi, m, inner, ulp, multiplyOn(product)), `Q^T Q, ${where}`).toBeLessThan(10)
    expect(report.residual[index], where).toBeLessThan(10 * Math.max(m, n) * ulp)
    const diagonal: number[] = []
    for (let i = 0; i < inner; i++)
      for (let j = 0; j < n; j++) {
        if (j < i && ri[i * n + j] !== 0) expect.fail(`below the diagonal of R: ${where}`)
        if (j === i) diagonal.push(ri[i * n + j]!)
      }
    expect(Math.min(0, ...diagonal), `diagonal, ${where}`).toBe(0)
    const condition = Math.max(...diagonal) / Math.min(...diagonal)
    if (Number.isFinite(condition)) expect(report.condition[index]! / condition, where).toBeCloseTo(1, 3)
  })
  for (const tensor of [a, q!, r]) tensor.dispose()
}

describe.each([main, ...others])('qr on $label', (testDevice) => {
  const all = isSlow ? manyShapes : [...manyShapes, [600, 600] as const]
  const shapes = testDevice === main ? all : fewShapes

  describe.each(dtypes)('%s', (dtype) => {
    const withDevice = (run: (device: Device) => void) => () => {
      const device = testDevice.open()
      try {
        run(device)
      } finally {
        device.dispose()
      }
    }

    it(
      'keeps the bounds for every kind of rectangle, in a batch',
      withDevice((device) => {
        for (const [m, n] of shapes) check(device, rectangles(m, n, dtype, new Random(m + 7 * n)), dtype, 'reduced')
      }),
    ) // prettier-ignore

    it(
      'keeps them for one matrix at a time, and completes Q',
      withDevice((device) => {
        for (const [m, n] of fewShapes)
          for (const each of rectangles(m, n, dtype, new Random(m + 9 * n))) {
            check(device, [each], dtype, 'reduced')
            check(device, [each], dtype, 'complete')
          }
      }),
    ) // prettier-ignore

    it(
      'gives R alone, with the bits of R beside Q',
      withDevice((device) => {
        for (const [m, n] of fewShapes) {
          const a = stackedRectangles(device, rectangles(m, n, dtype, new Random(2)), dtype)
          const alone = qr(a, { mode: 'r' })
          expect(alone.q).toBeUndefined()
          expect(alone.report.residual[0]).toBeNaN()
          expectSameBits(alone.r.data(), qr(a).r.data())
        }
      }),
    ) // prettier-ignore

    it.each([9, 70])('a failed matrix of order %i leaves its neighbours bit-identical', (n) =>
      withDevice((device) => {
        const good = rectangles(n, n - 2, dtype, new Random(3))
        const clean = qr(stackedRectangles(device, good, dtype))
        const bad = good.map((each, i) =>
          i === 1 ? { ...each, data: each.data.map((x, at) => (at === 5 ? Number.NaN : x)) } : each,
        )
        const { q, r, report } = qr(stackedRectangles(device, bad, dtype))
        expect(report.status).toEqual(good.map((_, i) => (i === 1 ? 'non_finite_input' : 'ok')))
        const compare = (tensor: Tensor, other: Tensor, size: number) => {
          const [x, y] = [tensor.data(), other.data()]
          expect(x.subarray(size, 2 * size).every(Number.isNaN)).toBe(true)
          expectSameBits(x.slice(0, size), y.slice(0, size))
          expectSameBits(x.slice(2 * size), y.slice(2 * size))
        }
        compare(q!, clean.q!, n * (n - 2))
        compare(r, clean.r, (n - 2) ** 2)
      })(),
    )

    it.each([12, 45, 150])(
      'two threads give the bits of one, and a part of a batch those of the whole, n = %i',
      (n) => {
        const one = testDevice.open({ threads: 1 })
        const two = testDevice.open({ threads: 2 })
        const all = [...rectangles(n, n, dtype, new Random(4)), ...rectangles(n, n, dtype, new Random(5))]
        const whole = qr(stackedRectangles(one, all, dtype)).r.data()
        expectSameBits(qr(stackedRectangles(two, all, dtype)).r.data(), whole)
        const part = qr(stackedRectangles(two, all.slice(2), dtype)).r.data()
        expectSameBits(part, whole.slice(2 * n * n))
        one.dispose()
        two.dispose()
      },
    )
  })

  it('names an overflow of R', () => {
    const device = testDevice.open()
    const a = device.tensor(typed('f32', new Float64Array(9).fill(3e38)), [3, 3])
    expect(qr(a).report.status).toEqual(['overflow'])
    device.dispose()
  })
})
