// svd: bounds and defined answers of native/include/kronroot/ops.h.
//
//   "|A - U diag(s) V^T| / (max(m, n) ulp |A|) < 10, |U^T U - I| / (m ulp) < 10, |V^T V - I| / (n ulp) < 10 (1-norms);
//   every |s_j - exact| < 10 max(m, n) ulp s_1"; s descending, the leading components of the shorter side positive.
import { afterAll, describe, expect, it } from 'vitest'
import { type Device, open, svd } from '../../lib/index.js'
import { type DType, fromSingularValues, precision, Random, typed } from '../matrices/zoo.js'
import { affordable, devicesByRank } from './devices.js'
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
const witness = open('reference')
afterAll(() => {
  product.dispose()
  witness.dispose()
})

function check(device: Device, matrices: readonly Rectangle[], dtype: DType): void {
  const { m, n } = matrices[0]!
  const l = Math.min(m, n)
  const { ulp } = precision[dtype]
  const a = stackedRectangles(device, matrices, dtype)
  const { s, u, v, report } = svd(a)
  expect(s.shape).toEqual([matrices.length, l])
  expect(u!.shape).toEqual([matrices.length, m, l])
  expect(v!.shape).toEqual([matrices.length, n, l])
  const [ss, us, vs] = [s.data(), u!.data(), v!.data()]
  const exact = m * n <= 70 * 70 ? exactValues(matrices) : undefined
  matrices.forEach(({ name, data }, index) => {
    const where = `${name}, ${m} x ${n}, ${dtype}`
    const [si, ui, vi] = [item(ss, index, l), item(us, index, m * l), item(vs, index, n * l)]
    expect(report.status[index], where).toBe('ok')
    expect(report.method[index], where).toBe('jacobi')
    const scaled = ui.map((x, at) => x * si[at % l]!)
    const right = Float64Array.from({ length: l * n }, (_, at) => vi[(at % n) * l + Math.floor(at / n)]!)
    const rebuilt = multiplyOn(product)(m, n, l, scaled, right)
    const error = oneNorm(
      rebuilt.map((x, i) => x - data[i]!),
      m,
      n,
    )
    const size = oneNorm(data, m, n)
    if (size > 0) expect(error / (Math.max(m, n) * ulp * size), `A - U s V^T, ${where}`).toBeLessThan(10)
    else expect(error, where).toBe(0)
    expect(orthonormalityRatio(ui, m, l, ulp, multiplyOn(product)), `U^T U, ${where}`).toBeLessThan(10)
    expect(orthonormalityRatio(vi, n, l, ulp, multiplyOn(product)), `V^T V, ${where}`).toBeLessThan(10)
    expect(report.residual[index], where).toBeLessThan(10 * Math.max(m, n) * ulp)
    for (let k = 0; k < l; k++) {
      if (!(si[k]! >= 0 && si[k]! <= (si[k - 1] ?? Infinity))) expect.fail(`s does not descend at ${k}: ${where}`)
      const off = Math.abs(si[k]! - (exact?.[index * l + k] ?? si[k]!))
      if (!(off <= 10 * Math.max(m, n) * ulp * si[0]!)) expect.fail(`s[${k}] is off by ${off}: ${where}`)
    }
    expectPositiveLeadingComponents(m > n ? vi : ui, l, where)
  })
  for (const tensor of [a, s, u!, v!]) tensor.dispose()
}

function exactValues(matrices: readonly Rectangle[]): Float64Array {
  const a = stackedRectangles(witness, matrices, 'f64')
  const { s } = svd(a, { vectors: false })
  const data = s.data() as Float64Array
  for (const tensor of [a, s]) tensor.dispose()
  return data
}

function expectPositiveLeadingComponents(x: Float64Array, l: number, where: string): void {
  for (let k = 0; k < l; k++) {
    let leading = 0
    for (let i = 0; i < l; i++) if (Math.abs(x[i * l + k]!) > Math.abs(leading)) leading = x[i * l + k]!
    if (!(leading > 0)) expect.fail(`singular vector ${k} has leading component ${leading}: ${where}`)
  }
}

type Shape = readonly [m: number, n: number]
const within = (shapes: readonly Shape[], most: number) =>
  shapes.filter(([m, n]) => affordable([m, n], most).length === 2)

describe.each([main, ...others])('svd on $label', (testDevice) => {
  const shapes = within(testDevice === main ? manyShapes : fewShapes, 17)
  const few = within(fewShapes, 33)

  describe.each(dtypes)('%s', (dtype) => {
    const { ulp } = precision[dtype]
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
        for (const [m, n] of shapes) check(device, rectangles(m, n, dtype, new Random(m + 7 * n)), dtype)
      }),
    ) // prettier-ignore

    it(
      'keeps them for one matrix at a time',
      withDevice((device) => {
        for (const [m, n] of few)
          for (const each of rectangles(m, n, dtype, new Random(m + 9 * n))) check(device, [each], dtype)
      }),
    ) // prettier-ignore

    it.each(affordable([12, 100], 12))('finds singular values that are known, in any cluster, n = %i', (n) =>
      withDevice((device) => {
        const spectra = [
          (k: number) => 1 / (1 + k),
          (k: number) => (k < n / 2 ? 2 : 0.5),
          (k: number) => 10 ** (-k / 4),
          () => 1,
        ]
        for (const spectrum of spectra) {
          const known = Float64Array.from({ length: n }, (_, k) => spectrum(k))
          const { data } = fromSingularValues(n, n + 3, known, new Random(8))
          const { s } = svd(device.tensor(typed(dtype, data), [n, n + 3]))
          s.data().forEach((x, k) => {
            expect(Math.abs(x - known[k]!)).toBeLessThan(20 * (n + 3) * ulp * known[0]!)
          })
        }
      })(),
    )

    it(
      'values alone agree with values beside vectors',
      withDevice((device) => {
        for (const [m, n] of within([...fewShapes, [100, 90]], 33)) {
          const a = stackedRectangles(device, rectangles(m, n, dtype, new Random(2)), dtype)
          const alone = svd(a, { vectors: false })
          expect(alone.u).toBeUndefined()
          expect(alone.report.residual[0]).toBeNaN()
          const [one, both] = [alone.s.data(), svd(a).s.data()]
          const l = Math.min(m, n)
          one.forEach((x, at) => {
            const largest = both[Math.floor(at / l) * l]!
            expect(Math.abs(x - both[at]!)).toBeLessThanOrEqual(20 * Math.max(m, n) * ulp * largest)
          })
        }
      }),
    ) // prettier-ignore

    // More than the shared memory of a block on a GPU holds, one matrix.
    it(
      'keeps them for 124 x 125',
      withDevice((device) => {
        check(device, rectangles(124, 125, dtype, new Random(1)).slice(0, 1), dtype)
      }),
    ) // prettier-ignore

    it.each(affordable([9, 70], 9))('a failed matrix of order %i leaves its neighbours bit-identical', (n) =>
      withDevice((device) => {
        const good = rectangles(n, n - 2, dtype, new Random(3))
        const clean = svd(stackedRectangles(device, good, dtype)).v!.data()
        const bad = good.map((each, i) =>
          i === 1 ? { ...each, data: each.data.map((x, at) => (at === 5 ? -Infinity : x)) } : each,
        )
        const { v, report } = svd(stackedRectangles(device, bad, dtype))
        expect(report.status).toEqual(good.map((_, i) => (i === 1 ? 'non_finite_input' : 'ok')))
        const [data, size] = [v!.data(), (n - 2) ** 2]
        expect(data.subarray(size, 2 * size).every(Number.isNaN)).toBe(true)
        expectSameBits(data.slice(0, size), clean.slice(0, size))
        expectSameBits(data.slice(2 * size), clean.slice(2 * size))
      })(),
    )

    it.each(affordable([12, 45, 150], 12))(
      'two threads give the bits of one, and a part of a batch those of the whole, n = %i',
      (n) => {
        const one = testDevice.open({ threads: 1 })
        const two = testDevice.open({ threads: 2 })
        const all = [...rectangles(n, n, dtype, new Random(4)), ...rectangles(n, n, dtype, new Random(5))]
        const whole = svd(stackedRectangles(one, all, dtype)).u!.data()
        expectSameBits(svd(stackedRectangles(two, all, dtype)).u!.data(), whole)
        const part = svd(stackedRectangles(two, all.slice(2), dtype)).u!.data()
        expectSameBits(part, whole.slice(2 * n * n))
        one.dispose()
        two.dispose()
      },
    )
  })
})
