// orthogonalize: bounds and defined answers of native/include/kronroot/ops.h.
//
//   "Newton-Schulz equals the f64 run of the same polynomial within 50 ulp steps sqrt(min(m, n)) in relative Frobenius
//   norm; POLAR: |X - U V^T|_F <= 100 ulp (sigma_max / sigma_min) sqrt(n) |X|_F."
import { describe, expect, it } from 'vitest'
import { type Device, orthogonalize } from '../../lib/index.js'
import {
  type DType,
  frobenius,
  fromSingularValues,
  multiply,
  precision,
  Random,
  relativeError,
  typed,
} from '../matrices/zoo.js'
import { devicesByRank } from './devices.js'
import { expectSameBits } from './oracle.js'

const { main, others } = devicesByRank()
const dtypes: readonly DType[] = ['f32', 'f64']
const tables = ['quintic', 'jiacheng', 'polar-express', 'cans', 'aol', 'deepseek', 'cubic', 'modula'] as const
const shapes = [
  [1, 1],
  [1, 9],
  [9, 1],
  [4, 4],
  [16, 16],
  [33, 17],
  [17, 33],
  [64, 20],
  [31, 96],
  [65, 65],
] as const

type Triple = readonly [number, number, number]
const quintic: Triple = [3.4445, -4.775, 2.0315]
/** p(1) = 1, p'(1) = p''(1) = 0: converges to the polar factor from every start in (0, 1]. */
const convergent: Triple = [15 / 8, -10 / 8, 3 / 8]

/** X <- a X + (b S + c S^2) X, S = X X^T, in f64 from A / |A|_F; m <= n by transposition of the caller. */
function newtonSchulz(a: Float64Array, m: number, n: number, triples: readonly Triple[]): Float64Array {
  const norm = frobenius(a)
  let x = a.map((value) => (norm > 0 ? value / norm : 0))
  for (const [a1, b, c] of triples) {
    const xt = transposed(x, m, n)
    const s = multiply(m, m, n, x, xt)
    const ss = multiply(m, m, m, s, s)
    const polynomial = s.map((value, i) => b * value + c * ss[i]!)
    const product = multiply(m, n, m, polynomial, x)
    x = x.map((value, i) => a1 * value + product[i]!)
  }
  return x
}

function transposed(x: Float64Array, m: number, n: number): Float64Array {
  return Float64Array.from({ length: m * n }, (_, index) => x[(index % m) * n + Math.floor(index / m)]!)
}

function polynomialRun(a: Float64Array, m: number, n: number, triples: readonly Triple[]): Float64Array {
  return m <= n ? newtonSchulz(a, m, n, triples) : transposed(newtonSchulz(transposed(a, m, n), n, m, triples), n, m)
}

describe.each([main, ...others])('orthogonalize on $label', (testDevice) => {
  describe.each(dtypes)('%s', (dtype) => {
    const { ulp } = precision[dtype]
    const gaussian = (m: number, n: number, seed: number) => typed(dtype, new Random(seed).normals(m * n))
    const withDevice = (run: (device: Device) => void) => () => {
      const device = testDevice.open()
      try {
        run(device)
      } finally {
        device.dispose()
      }
    }

    it.each(['newton-schulz', 'gram-newton-schulz'] as const)('%s equals the f64 run of Muon’s quintic', (method) => {
      const device = testDevice.open()
      for (const [m, n] of shapes) {
        const a = gaussian(m, n, m + n)
        const { value, report } = orthogonalize(device.tensor(a, [m, n]), { method, table: 'quintic', steps: 5 })
        const exact = polynomialRun(Float64Array.from(a), m, n, Array(5).fill(quintic))
        const bound = 50 * ulp * 5 * Math.sqrt(Math.min(m, n))
        expect(relativeError(value.data(), exact), `${m} x ${n}`).toBeLessThanOrEqual(bound)
        expect(report.status).toEqual(['ok'])
        expect(report.iterations[0]).toBe(5)
      }
      device.dispose()
    })

    it('newton-schulz in bf16', () => {
      const device = testDevice.open()
      const options = { precision: 'bf16' } as const
      expect(() =>
        orthogonalize(device.tensor(gaussian(8, 8, 1), [8, 8]), { ...options, method: 'gram-newton-schulz' }),
      ).toThrow(/precision 'bf16' is for f32 and method 'newton-schulz'/)
      if (dtype === 'f64') {
        expect(() => orthogonalize(device.tensor(gaussian(8, 8, 1), [8, 8]), options)).toThrow(
          /precision 'bf16' is for f32/,
        )
        device.dispose()
        return
      }
      for (const [m, n] of [...shapes, [100, 128], [128, 256]] as const) {
        const a = gaussian(m, n, m + n)
        const { value, report } = orthogonalize(device.tensor(a, [m, n]), options)
        const exact = polynomialRun(Float64Array.from(a), m, n, Array(5).fill(quintic))
        expect(relativeError(value.data(), exact), `${m} x ${n}`).toBeLessThanOrEqual(2 ** -4)
        expect(report.status).toEqual(['ok'])
      }
      // A neighbour that is not finite changes no bit.
      const [m, n] = [70, 90]
      const pair = new Float32Array(2 * m * n)
      pair.set(gaussian(m, n, 7))
      pair.set(gaussian(m, n, 8), m * n)
      const clean = orthogonalize(device.tensor(pair, [2, m, n]), options).value.data()
      pair[m * n + 5] = Number.NaN
      const poisoned = orthogonalize(device.tensor(pair, [2, m, n]), options)
      expectSameBits(poisoned.value.data().slice(0, m * n), clean.slice(0, m * n))
      expect(poisoned.report.status).toEqual(['ok', 'non_finite_input'])
      device.dispose()
    })

    it(
      'custom triples: the last one repeats',
      withDevice((device) => {
        const triples: Triple[] = [[3, -3, 1], convergent]
        const a = gaussian(12, 20, 1)
        const { value } = orthogonalize(device.tensor(a, [12, 20]), { table: triples, steps: 4 })
        const exact = polynomialRun(Float64Array.from(a), 12, 20, [triples[0]!, convergent, convergent, convergent])
        expect(relativeError(value.data(), exact)).toBeLessThanOrEqual(50 * ulp * 4 * Math.sqrt(12))
      }),
    )

    it.each(tables)('table %s: f32 and f64 runs of it agree, singular values end near 1', (table) => {
      const device = testDevice.open()
      for (const method of ['newton-schulz', 'gram-newton-schulz'] as const)
        for (const [m, n] of [
          [24, 24],
          [20, 48],
        ] as const) {
          const singular = Float64Array.from({ length: Math.min(m, n) }, (_, i) => 1 - (0.8 * i) / Math.min(m, n))
          const { data, polar } = fromSingularValues(m, n, singular, new Random(2))
          const a = typed(dtype, data)
          const { value, report } = orthogonalize(device.tensor(a, [m, n]), { method, table })
          const wide = orthogonalize(device.tensor(Float64Array.from(a), [m, n]), { method: 'newton-schulz', table })
          const steps = report.iterations[0]!
          expect(steps).toBeGreaterThan(0)
          expect(relativeError(value.data(), wide.value.data()), `${method} ${m} x ${n}`).toBeLessThanOrEqual(
            50 * ulp * steps * Math.sqrt(Math.min(m, n)),
          )
          // AOL scales rows one by one, which changes the singular vectors.
          if (table !== 'aol') expect(relativeError(value.data(), polar)).toBeLessThan(0.4)
        }
      device.dispose()
    })

    it.each(tables)('table %s: u v^T keeps its orientation', (table) => {
      const device = testDevice.open()
      const u = gaussian(9, 1, 4)
      const v = gaussian(14, 1, 5)
      const rankOne = typed(
        dtype,
        Float64Array.from({ length: 9 * 14 }, (_, i) => u[Math.floor(i / 14)]! * v[i % 14]!),
      )
      for (const method of ['newton-schulz', 'gram-newton-schulz'] as const) {
        const x = orthogonalize(device.tensor(rankOne, [9, 14]), { method, table }).value.data()
        // <X, U V^T> > 0, entry by entry.
        for (const [i, value] of rankOne.entries())
          expect(Math.sign(x[i]!), `${method}, element ${i}`).toBe(Math.sign(value))
      }
      device.dispose()
    })

    it(
      'is scale-invariant from 1e-30 to 1e30',
      withDevice((device) => {
        const a = gaussian(20, 30, 3)
        for (const method of ['newton-schulz', 'gram-newton-schulz', 'polar'] as const) {
          const expected = orthogonalize(device.tensor(a, [20, 30]), { method }).value.data()
          for (const exponent of [-30, -15, 15, 30]) {
            const factor = 10 ** exponent
            const scaledInput = a.map((x) => x * factor)
            const { value } = orthogonalize(device.tensor(scaledInput, [20, 30]), { method })
            const error = relativeError(value.data(), expected)
            // The scaled elements are rounded once more, which the polynomial carries as the input error it is.
            expect(error, `${method} at 1e${exponent}`).toBeLessThanOrEqual(50 * ulp * 5 * Math.sqrt(20))
          }
        }
      }),
    )

    it(
      'A = 0: X = 0, RANK_DEFICIENT, detail 0; empty matrices are legal',
      withDevice((device) => {
        for (const method of ['newton-schulz', 'gram-newton-schulz', 'polar'] as const) {
          const { value, report } = orthogonalize(device.empty([2, 5, 7], { dtype }), { method })
          expect(report.status).toEqual(['rank_deficient', 'rank_deficient'])
          expect(Array.from(report.detail)).toEqual([0, 0])
          expect(value.data().every((x) => x === 0)).toBe(true)
          expect(orthogonalize(device.empty([0, 4], { dtype }), { method }).value.shape).toEqual([0, 4])
        }
      }),
    )

    it(
      'polar: within 100 ulp (sigma_max / sigma_min) sqrt(n) of U V^T, and X^T X = I',
      withDevice((device) => {
        for (const [m, n] of shapes)
          for (const condition of dtype === 'f32' ? [1, 10, 1e3] : [1, 10, 1e5]) {
            const rank = Math.min(m, n)
            const singular = Float64Array.from(
              { length: rank },
              (_, i) => condition ** (rank > 1 ? -i / (rank - 1) : 0),
            )
            const { data, polar } = fromSingularValues(m, n, singular, new Random(4))
            const { value, report } = orthogonalize(device.tensor(typed(dtype, data), [m, n]), { method: 'polar' })
            const where = `${m} x ${n}, condition ${condition}`
            expect(report.status, where).toEqual(['ok'])
            // Rounding of the input moves U V^T itself by up to ulp sigma_max / sigma_min |A|_F / sigma_max.
            const bound = 100 * ulp * condition * Math.sqrt(n)
            expect(relativeError(value.data(), polar), where).toBeLessThanOrEqual(bound)
            expect(report.residual[0], where).toBeLessThan(100 * ulp * rank)
          }
      }),
    )

    it(
      'polar of a deficient matrix: lost directions contribute nothing, the rank is in detail',
      withDevice((device) => {
        const { data, polar } = fromSingularValues(12, 9, [4, 2, 1, 0.5], new Random(5))
        const { value, report } = orthogonalize(device.tensor(typed(dtype, data), [12, 9]), { method: 'polar' })
        expect(report.status).toEqual(['rank_deficient'])
        expect(report.detail[0]).toBe(4)
        expect(relativeError(value.data(), polar)).toBeLessThanOrEqual(100 * ulp * 8 * 3)
      }),
    )

    it('NaN isolation, batches of every size that takes the same path, one thread and two: the same bits', () => {
      const one = testDevice.open({ threads: 1 })
      const two = testDevice.open({ threads: 2 })
      const size = 18 * 26
      const a = gaussian(33 * 18, 26, 6)
      for (const method of ['newton-schulz', 'gram-newton-schulz', 'polar'] as const) {
        const run = (device: Device, data: typeof a) =>
          orthogonalize(device.tensor(data, [data.length / size, 18, 26]), { method })
        const whole = run(one, a).value.data()
        expectSameBits(run(two, a).value.data(), whole)
        for (const [first, count] of [
          [0, 4],
          [9, 19],
          ...(method === 'newton-schulz' ? [] : [[32, 1] as const]),
        ] as const)
          expectSameBits(
            run(two, a.slice(first * size, (first + count) * size)).value.data(),
            whole.slice(first * size, (first + count) * size),
          )
        const poisoned = a.slice()
        poisoned[7 * size + 40] = Number.POSITIVE_INFINITY
        const { value, report } = run(two, poisoned)
        expect(report.status[7]).toBe('non_finite_input')
        expect(report.status.filter((status) => status !== 'ok')).toHaveLength(1)
        const data = value.data()
        expectSameBits(data.slice(0, 7 * size), whole.slice(0, 7 * size))
        expectSameBits(data.slice(8 * size), whole.slice(8 * size))
      }
      one.dispose()
      two.dispose()
    })
  })
})
