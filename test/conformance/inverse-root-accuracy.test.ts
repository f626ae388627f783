// inverse_root against f64 (native/include/kronroot/ops.h): "for condition <= 1e6 after the ridge,
// |X - X_exact|_F / |X_exact|_F is at most that of the f32 eigh route on the same input (f32, AUTO; 4 times it where one
// matrix is reduced to tridiagonal form in f32), and <= 100 n ulp condition for every method that reports OK".
import { afterAll, describe, expect, it } from 'vitest'
import { inverseRoot, open, type Report, rootMethods } from '../../lib/index.js'
import {
  clustered,
  type DType,
  dominated,
  graded,
  oneSmall,
  precision,
  Random,
  rankDeficient,
  relativeError,
  shampooEma,
  type ZooMatrix,
} from '../matrices/zoo.js'
import { devicesByRank, grid } from './devices.js'
import { eigenvalues, eighRoute, stacked, symmetricFunction, takesRoot } from './oracle.js'

const { main, others } = devicesByRank()
const roots: readonly (number | [number, number])[] = [1, 2, 3, 4, 8, [4, 3]]
const exponentOf = (p: number | [number, number]) => (typeof p === 'number' ? -1 / p : -p[1] / p[0])
/** Both routes round X itself to f32: so much apart they are equally good. */
const rounding = 4 * precision.f32.ulp

const oracle = open('cpu')
afterAll(() => oracle.dispose())

const success = ['ok', 'rank_deficient']
const families = [graded, clustered, dominated, oneSmall] as const

describe('the oracle', () => {
  it('inverts its own root: (A^{-1/4})^{-4} = A', () => {
    const { data, n } = graded(24, 100, { dtype: 'f64', random: new Random(1) })
    const root = symmetricFunction(oracle, data, n, (w) => w ** -0.25)
    expect(
      relativeError(
        symmetricFunction(oracle, root, n, (w) => w ** -4),
        data,
      ),
    ).toBeLessThan(1e-12)
  })
})

describe.each([main, ...others])('inverseRoot accuracy on $label', (testDevice) => {
  const sizes = testDevice === main ? grid([2, 3, 8, 16, 33, 64, 128], [2, 8, 32, 33, 129]) : [3, 33]

  it.each(roots.map((p) => ({ p, label: [p].flat().join('/') })))(
    'p = $label: AUTO in f32 is at most as wrong as the f32 eigh route, condition 1 to 1e6',
    ({ p }) => {
      const device = testDevice.open()
      for (const n of sizes)
        for (const condition of grid([1, 1e2, 1e4, 1e6], [1, 1e6]))
          for (const make of families) {
            const { ridge, f } = ridged(n, condition, 'f32', p)
            const matrix = make(n, condition, { dtype: 'f32', random: new Random(n + condition) })
            const exact = symmetricFunction(oracle, matrix.data, n, f)
            const { value, report } = inverseRoot(stacked(device, [matrix], 'f32'), { p, ridge })
            const error = relativeError(value.data(), exact)
            const route = relativeError(eighRoute(device, matrix.data, n, f), exact)
            const where = `${matrix.name}, n = ${n}, ${report.method[0]}, rung ${report.rung[0]}`
            expect(success, where).toContain(report.status[0])
            expect(error, where).toBeLessThanOrEqual(factorOf(report) * route + rounding)
          }
      device.dispose()
    },
  )

  it.each(roots.map((p) => ({ p, label: [p].flat().join('/') })))(
    'p = $label: the same with a relative ridge of 1e-6 on deficient matrices',
    ({ p }) => {
      const device = testDevice.open()
      const exponent = exponentOf(p)
      for (const n of sizes)
        for (const matrix of deficient(n)) {
          const w = eigenvalues(oracle, matrix.data, n)
          const epsilon = 1e-6 * w[n - 1]!
          const withRidge = (e: number) => (x: number) => (Math.max(x, 0) + e) ** exponent
          const exact = symmetricFunction(oracle, matrix.data, n, withRidge(epsilon))
          // Where no eigenvalues are computed lambda_max is an upper bound, at most 5 % above.
          const looser = relativeError(symmetricFunction(oracle, matrix.data, n, withRidge(1.05 * epsilon)), exact)
          const { value, report } = inverseRoot(stacked(device, [matrix], 'f32'), { p, ridge: { relative: 1e-6 } })
          const route = relativeError(
            eighRoute(device, matrix.data, n, (x) => (x + epsilon) ** exponent),
            exact,
          )
          const where = `${matrix.name}, n = ${n}, ${report.method[0]}, rung ${report.rung[0]}`
          expect(success, where).toContain(report.status[0])
          expect(relativeError(value.data(), exact), where).toBeLessThanOrEqual(
            factorOf(report) * route + rounding + (report.method[0] === 'eigh' ? 0 : looser),
          )
        }
      device.dispose()
    },
  )

  it.each(rootMethods)('%s stays within 100 n ulp condition in f32 and f64', (method) => {
    const device = testDevice.open()
    for (const dtype of ['f32', 'f64'] as readonly DType[])
      for (const p of roots.filter((root) => takesRoot(method, root)))
        for (const n of [2, 9, 33])
          for (const condition of dtype === 'f32' ? grid([1, 1e3, 1e5], [1, 1e5]) : grid([1, 1e6, 1e10], [1, 1e10])) {
            const matrices = families.map((make) => make(n, condition, { dtype, random: new Random(n) }))
            const { ridge, f } = ridged(n, condition, dtype, p)
            const { value, report } = inverseRoot(stacked(device, matrices, dtype), { p, method, ridge })
            const x = value.data()
            for (const [i, matrix] of matrices.entries()) {
              const where = `${matrix.name}, n = ${n}, ${dtype}, p = ${p}, rung ${report.rung[i]}`
              expect(success, where).toContain(report.status[i])
              const exact = symmetricFunction(oracle, matrix.data, n, f)
              expect(relativeError(x.subarray(i * n * n, (i + 1) * n * n), exact), where).toBeLessThanOrEqual(
                100 * n * precision[dtype].ulp * condition,
              )
            }
          }
    device.dispose()
  })
})

/** Two reductions in f32 are equally good, with different luck. */
function factorOf(report: Report): number {
  return report.method[0] === 'eigh' || report.method[0] === 'partial-fractions' ? 4 : 1
}

/**
 * No ridge where lambda_min is clear of n ulp lambda_max, below which the header answers NOT_POSITIVE_DEFINITE; else an
 * absolute one that leaves the condition at about what was asked for.
 */
function ridged(n: number, condition: number, dtype: DType, p: number | [number, number]) {
  const epsilon = n * precision[dtype].ulp * condition < 0.1 ? 0 : 1 / condition
  const ridge = epsilon > 0 ? { absolute: epsilon } : ('none' as const)
  return { ridge, f: (w: number) => (Math.max(w, 0) + epsilon) ** exponentOf(p) }
}

function deficient(n: number): ZooMatrix[] {
  const options = { dtype: 'f32', random: new Random(n) } as const
  return [
    rankDeficient(n, Math.ceil(n / 4), options),
    shampooEma(n, { ...options, steps: 1 }),
    shampooEma(n, { ...options, steps: 10, deadRows: Math.min(2, n - 1) }),
    shampooEma(n, { ...options, steps: 1000, columns: 1 }),
    shampooEma(n, { ...options, steps: 10, outlier: 30 }),
    shampooEma(n, { ...options, steps: 10, asymmetric: true }),
  ]
}
