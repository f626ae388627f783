// inverse_root: the defined answers of native/include/kronroot/ops.h, one test each, on every device.
import { afterAll, describe, expect, it } from 'vitest'
import { type Device, inverseRoot, KronrootError, open, rootMethods } from '../../lib/index.js'
import {
  asymmetric,
  type DType,
  diagonal,
  frobenius,
  graded,
  identity,
  multiply,
  nonFinite,
  precision,
  Random,
  rankDeficient,
  relativeError,
  rounded,
  slightlyIndefinite,
  spectral,
  typed,
  type ZooMatrix,
  zero,
} from '../matrices/zoo.js'
import { devicesByRank, grid } from './devices.js'
import { expectSameBits, item, stacked, symmetricFunction, takesRoot } from './oracle.js'

const { main, others } = devicesByRank()
const dtypes: readonly DType[] = ['f32', 'f64']
const roots = [1, 2, 3, 4, 8, [4, 3]] as const
type Root = number | [number, number]
const exponent = (p: Root) => (typeof p === 'number' ? -1 / p : -p[1] / p[0])

const oracle = open('cpu')
afterAll(() => oracle.dispose())

describe.each([main, ...others])('inverseRoot on $label', (testDevice) => {
  describe.each(dtypes)('%s', (dtype) => {
    const { ulp } = precision[dtype]
    const options = (seed: number) => ({ dtype, random: new Random(seed) })
    const withDevice = (run: (device: Device) => void) => () => {
      const device = testDevice.open()
      try {
        run(device)
      } finally {
        device.dispose()
      }
    }

    it(
      'n = 0: nothing, status OK',
      withDevice((device) => {
        const { value, report } = inverseRoot(device.empty([3, 0, 0], { dtype }))
        expect(value.shape).toEqual([3, 0, 0])
        expect(report.status).toEqual(['ok', 'ok', 'ok'])
      }),
    )

    it(
      '1 x 1: (a + epsilon)^(-1/p) to 2 ulp',
      withDevice((device) => {
        const numbers = [1e-30, 3e-12, 0.1, 1, 2, 7.5, 3e12, 1e30]
        const a = typed(dtype, numbers)
        for (const p of roots)
          for (const method of rootMethods.filter((each) => takesRoot(each, p))) {
            const { value, report } = inverseRoot(device.tensor(a, [a.length, 1, 1]), {
              p: p as Root,
              method,
              ridge: 'none',
            })
            const x = value.data()
            for (let i = 0; i < a.length; i++) {
              // -1/3 is no f64, and its rounding times log(a) is many ulp.
              const exact = p === 3 ? 1 / Math.cbrt(a[i]!) : a[i]! ** exponent(p as Root)
              expect(report.status[i]).toBe('ok')
              expect(Math.abs(x[i]! - exact) / exact, `a = ${a[i]}, p = ${p}`).toBeLessThanOrEqual(2 * ulp)
            }
          }
        const ridged = inverseRoot(device.tensor(typed(dtype, [4]), [1, 1]), { ridge: { absolute: 5 } })
        expect(ridged.value.data()[0]! * 3).toBeCloseTo(1, 6)
      }),
    )

    it(
      'A = 0: epsilon^(-1/p) I under an absolute ridge, 0 as a pseudo-inverse, otherwise NOT_POSITIVE_DEFINITE',
      withDevice((device) => {
        for (const n of [1, 2, 7, 33])
          for (const method of rootMethods) {
            const a = stacked(device, [zero(n)], dtype)
            const absolute = inverseRoot(a, { p: 4, method, ridge: { absolute: 16 } })
            expect(absolute.report.status).toEqual(['rank_deficient'])
            expect(absolute.report.detail[0]).toBe(0)
            expect(relativeError(absolute.value.data(), identity(n, 0.5).data)).toBeLessThanOrEqual(2 * ulp)
            const pseudo = inverseRoot(a, { p: 4, method, ridge: { pseudoInverse: 0 } })
            expect(pseudo.report.status).toEqual(['rank_deficient'])
            expect(pseudo.report.detail[0]).toBe(0)
            expect(pseudo.value.data().every((x) => x === 0)).toBe(true)
            for (const ridge of ['none', { relative: 1e-3 }, { trace: 1e-3 }, { absolute: 0 }] as const)
              expect(inverseRoot(a, { p: 4, method, ridge }).report.status).toEqual(['not_positive_definite'])
            expect(inverseRoot(a, { p: 4, method }).report.status).toEqual(['not_positive_definite'])
          }
      }),
    )

    it(
      'rank-deficient: (lambda + epsilon)^(-1/p) on the null space; the rank in detail; an error without a ridge',
      withDevice((device) => {
        const n = 24
        const matrix = rankDeficient(n, 9, options(1))
        const a = stacked(device, [matrix], dtype)
        const epsilon = 1e-3
        for (const method of rootMethods) {
          for (const p of roots.filter((root) => takesRoot(method, root))) {
            const { value, report } = inverseRoot(a, { p: p as Root, method, ridge: { absolute: epsilon } })
            expect(report.status, `${method}, p = ${p}`).toEqual(['rank_deficient'])
            expect(report.detail[0]).toBe(9)
            const exact = symmetricFunction(
              oracle,
              matrix.data,
              n,
              (w) => (Math.max(w, 0) + epsilon) ** exponent(p as Root),
            )
            expect(relativeError(value.data(), exact), `${method}, p = ${p}`).toBeLessThanOrEqual(
              (100 * n * ulp) / epsilon,
            )
          }
          expect(inverseRoot(a, { p: 2, method, ridge: 'none' }).report.status).toEqual(['not_positive_definite'])
        }
      }),
    )

    it(
      'pseudo-inverse: eigenvalues <= max(n ulp, value) lambda_max contribute nothing',
      withDevice((device) => {
        const n = 20
        const matrix = rounded(
          spectral(
            'two scales',
            Float64Array.from({ length: n }, (_, i) => (i < 6 ? 1 + i : i < 12 ? 1e-2 : 0)),
            new Random(2),
          ),
          dtype,
        )
        for (const [value, cut, rank] of [
          [0, 1e-3, 12],
          [0.1, 0.1 * 6, 6],
        ])
          for (const method of rootMethods) {
            const { value: x, report } = inverseRoot(stacked(device, [matrix], dtype), {
              p: 2,
              method,
              ridge: { pseudoInverse: value! },
            })
            expect(report.status).toEqual(['rank_deficient'])
            expect(report.detail[0]).toBe(rank)
            const exact = symmetricFunction(oracle, matrix.data, n, (w) => (w > cut! ? w ** -0.5 : 0))
            expect(relativeError(x.data(), exact)).toBeLessThanOrEqual(100 * n * ulp * 600)
          }
      }),
    )

    it(
      'slightly indefinite: eigenvalues in [-tau, 0) count as 0, below -tau NOT_POSITIVE_DEFINITE',
      withDevice((device) => {
        const n = 16
        const tau = 8 * n * ulp
        for (const method of rootMethods) {
          for (const epsilon of [0.25 * tau, 1e-2]) {
            const depth = 0.5 * Math.max(tau, epsilon)
            const matrix = slightlyIndefinite(n, depth, options(3))
            const { value, report } = inverseRoot(stacked(device, [matrix], dtype), {
              p: 2,
              method,
              ridge: { absolute: epsilon },
            })
            expect(report.status, `${method}, ${epsilon}`).toEqual(['rank_deficient'])
            const exact = symmetricFunction(oracle, matrix.data, n, (w) => (Math.max(w, 0) + epsilon) ** -0.5)
            expect(relativeError(value.data(), exact), method).toBeLessThanOrEqual((100 * n * ulp) / epsilon)
            const worse = slightlyIndefinite(n, 2 * Math.max(tau, epsilon), options(4))
            expect(
              inverseRoot(stacked(device, [worse], dtype), { p: 2, method, ridge: { absolute: epsilon } }).report
                .status,
            ).toEqual(['not_positive_definite'])
          }
        }
      }),
    )

    it(
      'slightly asymmetric: symmetrised; above sqrt(ulp) max|A| NOT_SYMMETRIC; X is symmetric',
      withDevice((device) => {
        const n = 9
        const limit = Math.sqrt(ulp)
        const slight = asymmetric(n, 0.5 * limit, options(5))
        const symmetrised = slight.data.map(
          (x, index) => 0.5 * (x + slight.data[(index % n) * n + Math.floor(index / n)]!),
        )
        const exact = symmetricFunction(oracle, symmetrised, n, (w) => w ** -0.25)
        for (const method of rootMethods) {
          const { value, report } = inverseRoot(
            stacked(device, [slight, asymmetric(n, 2 * limit, options(5))], dtype),
            {
              p: 4,
              method,
              ridge: 'none',
            },
          )
          expect(report.status).toEqual(['ok', 'not_symmetric'])
          const x = item(value.data(), 0, n * n)
          expect(relativeError(x, exact)).toBeLessThanOrEqual(100 * n * ulp * n)
          for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) expect(x[i * n + j]).toBe(x[j * n + i])
        }
      }),
    )

    it(
      'non-finite: NON_FINITE_INPUT, neighbours bit-identical',
      withDevice((device) => {
        const n = 11
        const good = Array.from({ length: 5 }, (_, i) => graded(n, 10 ** i, options(i)))
        for (const method of rootMethods) {
          const clean = inverseRoot(stacked(device, good, dtype), { p: 4, method }).value.data()
          for (const poison of nonFinite(n, options(6))) {
            const batch = good.map((matrix, i) => (i === 2 ? poison : matrix))
            const { value, report } = inverseRoot(stacked(device, batch, dtype), { p: 4, method })
            expect(report.status).toEqual(['ok', 'ok', 'non_finite_input', 'ok', 'ok'])
            const data = value.data()
            expectSameBits(data.slice(0, 2 * n * n), clean.slice(0, 2 * n * n))
            expectSameBits(data.slice(3 * n * n), clean.slice(3 * n * n))
            expect(item(data, 2, n * n).every(Number.isNaN)).toBe(true)
          }
        }
      }),
    )

    it(
      'what is not finite in the element type is OVERFLOW',
      withDevice((device) => {
        const denormal = dtype === 'f32' ? 2 ** -140 : 2 ** -1060
        for (const method of rootMethods.filter((each) => takesRoot(each, 1))) {
          const { report } = inverseRoot(stacked(device, [identity(5, denormal), identity(5)], dtype), {
            p: 1,
            method,
            ridge: 'none',
          })
          expect(report.status).toEqual(['overflow', 'ok'])
          const { value, report: square } = inverseRoot(stacked(device, [identity(5, denormal)], dtype), {
            p: 2,
            method,
            ridge: 'none',
          })
          expect(square.status).toEqual(['ok'])
          expect(relativeError(value.data(), identity(5, denormal ** -0.5).data)).toBeLessThanOrEqual(100 * 5 * ulp)
        }
      }),
    )

    it(
      'a negative p is a positive power',
      withDevice((device) => {
        const n = 12
        const matrix = graded(n, 100, options(7))
        const exact = symmetricFunction(oracle, matrix.data, n, (w) => w ** 0.5)
        for (const method of rootMethods) {
          const { value, report } = inverseRoot(stacked(device, [matrix], dtype), { p: -2, method, ridge: 'none' })
          expect(report.status).toEqual(['ok'])
          expect(relativeError(value.data(), exact)).toBeLessThanOrEqual(100 * n * ulp * 100)
        }
      }),
    )

    it(
      'every ridge is what the header says',
      withDevice((device) => {
        const matrix: ZooMatrix = { name: 'diagonal', n: 3, data: diagonal([1, 2, 9]) }
        const a = stacked(device, [matrix], dtype)
        for (const [ridge, epsilon] of [
          [{ absolute: 3 }, 3],
          [{ relative: 0.5 }, 4.5],
          [{ trace: 0.5 }, 2],
        ] as const) {
          const x = inverseRoot(a, { p: 1, method: 'eigh', ridge }).value.data()
          for (const [i, w] of [1, 2, 9].entries())
            expect(x[4 * i]! * (w + epsilon), JSON.stringify(ridge)).toBeCloseTo(1, 5)
        }
        const relative = dtype === 'f32' ? 1e-6 : 1e-12
        const singular = rankDeficient(6, 3, options(8))
        const { value } = inverseRoot(stacked(device, [singular], dtype), { p: 2, method: 'eigh' })
        // On the null space X is (r lambda_max)^(-1/2), which dominates the norm: three times, lambda_max = 1.
        expect(frobenius(value.data()) * Math.sqrt(relative / 3)).toBeCloseTo(1, 1)
      }),
    )

    it(
      'may write over its input; a failed matrix keeps, throws or is NaN as asked',
      withDevice((device) => {
        const n = 8
        const good = graded(n, 50, options(9))
        const batch = [good, { name: 'negative', n, data: good.data.map((x) => -x) }]
        const expected = inverseRoot(stacked(device, batch, dtype), { p: 2 })
          .value.data()
          .slice(0, n * n)
        const a = stacked(device, batch, dtype)
        const before = a.data()
        const { value, report } = inverseRoot(a, { p: 2, out: a })
        expect(value).toBe(a)
        expect(report.status).toEqual(['ok', 'not_positive_definite'])
        expect(report.ok).toBe(false)
        expectSameBits(a.data().slice(0, n * n), expected)
        expectSameBits(a.data().slice(n * n), before.slice(n * n))
        const again = stacked(device, batch, dtype)
        expect(
          inverseRoot(again, { p: 2 })
            .value.data()
            .subarray(n * n)
            .every(Number.isNaN),
        ).toBe(true)
        expect(() => inverseRoot(again, { p: 2, onFailure: 'throw' })).toThrow(KronrootError)
      }),
    )

    it(
      'the reported residual is the balanced residual of what was returned',
      withDevice((device) => {
        const n = 30
        const matrix = graded(n, 1e4, options(10))
        for (const method of rootMethods)
          for (const [p, half] of [
            [2, 1],
            [4, 2],
          ]) {
            const { value, report } = inverseRoot(stacked(device, [matrix], dtype), {
              p: p!,
              method,
              ridge: 'none',
              fullResidual: true,
            })
            const x = Float64Array.from(value.data())
            const power = half === 1 ? x : multiply(n, n, n, x, x)
            const residual = multiply(n, n, n, multiply(n, n, n, power, matrix.data), power)
            for (let i = 0; i < n; i++) residual[i * n + i]! -= 1
            const exact = frobenius(residual) / Math.sqrt(n)
            // X^{p/2} and the products of the certificate are rounded once more: n 2^-52 condition.
            expect(Math.abs(report.residual[0]! - exact), `${method}, p = ${p}`).toBeLessThanOrEqual(
              0.05 * exact + 100 * n * 2 ** -52 * 1e4,
            )
            expect(report.condition[0]! / 1e4).toBeGreaterThan(0.3)
            expect(report.condition[0]! / 1e4).toBeLessThan(3)
          }
      }),
    )

    it('batches of every size that takes the same path, on one thread and two: the same bits', () => {
      const one = testDevice.open({ threads: 1 })
      const two = testDevice.open({ threads: 2 })
      // The whole batch, and its last matrices; beyond 128 a single one takes that path too.
      const small = grid({ count: 33, lengths: [8, 19] }, { count: 9, lengths: [4] })
      const large = grid({ count: 33, lengths: [8, 19, 1] }, { count: 2, lengths: [1] })
      for (const method of rootMethods)
        for (const { n, count, lengths } of [
          { n: 6, ...small },
          { n: 40, ...small },
          { n: 130, ...large },
        ]) {
          const matrices = Array.from({ length: count }, (_, i) => graded(n, 10 ** (i % 6), options(i)))
          const run = (device: Device, batch: readonly ZooMatrix[]) =>
            inverseRoot(stacked(device, batch, dtype), { p: 4, method }).value.data()
          const whole = run(one, matrices)
          expectSameBits(run(two, matrices), whole)
          for (const length of lengths) expectSameBits(run(two, matrices.slice(-length)), whole.slice(-length * n * n))
        }
      one.dispose()
      two.dispose()
    })
  })
})
