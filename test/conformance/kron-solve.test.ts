// kron_solve: "|Y - exact|_F <= 2 (m^{3/2} + n^{3/2} + 8) ulp r |X|_F", residual "below 20 max(m, n) ulp"
// (native/include/kronroot/ops.h).
import { describe, expect, it } from 'vitest'
import {
  type Device,
  eigh,
  gram,
  type KronBasis,
  type KronSolveOptions,
  kronSolve,
  kronSquares,
  open,
  SolveError,
  type Tensor,
} from '../../lib/index.js'
import { type DType, multiply, precision, Random, typed } from '../matrices/zoo.js'
import { expectRefused } from '../refusal.js'
import { devicesByRank, type TestDevice } from './devices.js'
import { expectSameBits } from './oracle.js'

const { main, others } = devicesByRank()
const reference: TestDevice = { label: 'reference', open: () => open('reference') }
const dtypes: readonly DType[] = ['f32', 'f64']
type Data = Float32Array | Float64Array

/** Eigenbasis of a random Gram matrix of rank min(n, 3 n / 4 + 1): some values are zero but for rounding. */
function basisOf(device: Device, dtype: DType, n: number, random: Random): { vectors: Tensor; values: Tensor } {
  const rank = Math.min(n, Math.ceil((3 * n) / 4) + 1)
  const x = device.tensor(typed(dtype, random.normals(n * rank)), [n, rank])
  const { values, vectors } = eigh(gram(x))
  return { values, vectors: vectors! }
}

const f64 = (tensor: Tensor) => Float64Array.from(tensor.data())
const transposed = (a: Float64Array, n: number) => a.map((_, i) => a[(i % n) * n + Math.floor(i / n)]!)
const frobenius = (x: ArrayLike<number>) => Math.sqrt(Array.from(x).reduce((sum, v) => sum + v * v, 0))

interface Model {
  readonly y: Float64Array
  readonly squares: Float64Array
  /** max 1 / ((factor s + damping)^power + epsilon) */
  readonly growth: number
  readonly condition: number
}

/** The formula of the header in f64. */
function model(
  x: Float64Array,
  m: number,
  n: number,
  qa: Float64Array,
  qb: Float64Array,
  scale: (i: number, j: number, square: number) => number,
  options: { damping: { absolute?: number; relative?: number }; power: number; factor: number; epsilon: number },
): Model {
  const z = multiply(m, n, n, multiply(m, n, m, transposed(qa, m), x), qb)
  const squares = z.map((v) => v * v)
  const s = z.map((_, k) => options.factor * Math.max(0, scale(Math.floor(k / n), k % n, squares[k]!)))
  const damping = options.damping.absolute ?? options.damping.relative! * Math.max(...s)
  const damped = s.map((v) => v + damping)
  const inverse = damped.map((v) => 1 / (v ** options.power + options.epsilon))
  const quotient = z.map((v, k) => v * inverse[k]!)
  return {
    y: multiply(m, n, n, multiply(m, n, m, qa, quotient), transposed(qb, n)),
    squares,
    growth: Math.max(...inverse),
    condition: Math.max(...damped) / Math.min(...damped),
  }
}

const shapes: readonly (readonly [number, number])[] = [
  [1, 1],
  [2, 5],
  [8, 8],
  [17, 9],
  [33, 40],
  [64, 31],
]

const settings = [
  { damping: { absolute: 0.1 }, power: 1, factor: 1, epsilon: 0 },
  { damping: { relative: 1e-3 }, power: 1, factor: 2.5, epsilon: 0 },
  { damping: { relative: 1e-2 }, power: 0.5, factor: 1, epsilon: 0.01 },
] as const

function expectBound(dtype: DType, m: number, n: number, y: Data, exact: Model, x: Float64Array, residual: number) {
  const { ulp } = precision[dtype]
  // The model errs as the f64 device does.
  const bound = 2 * (m ** 1.5 + n ** 1.5 + 8) * ulp * exact.growth * frobenius(x) * (dtype === 'f64' ? 2 : 1)
  expect(frobenius(exact.y.map((v, i) => v - y[i]!))).toBeLessThanOrEqual(bound)
  expect(residual).toBeLessThan(20 * Math.max(m, n) * ulp)
}

describe.each([main, ...others, reference])('kronSolve on $label', (testDevice) => {
  const withDevice = (check: (device: Device) => void) => {
    const device = testDevice.open()
    check(device)
    device.dispose()
  }

  describe.each(dtypes)('%s', (dtype) => {
    it.each(shapes)('%i x %i keeps the bound with values, with a scale, and with squares', (m, n) => {
      withDevice((device) => {
        const random = new Random(31)
        const [a, b] = [basisOf(device, dtype, m, random), basisOf(device, dtype, n, random)]
        const [qa, qb] = [f64(a.vectors), f64(b.vectors)]
        const [av, bv] = [a.values.data(), b.values.data()]
        const x = typed(dtype, random.normals(m * n))
        const s = typed(dtype, random.normals(m * n)).map((v: number) => v * v) as Data
        const tensor = device.tensor(x, [m, n])
        for (const setting of settings) {
          const options: KronSolveOptions = setting
          const check = (more: KronSolveOptions, scale: (i: number, j: number, square: number) => number) => {
            const { value, report } = kronSolve(tensor, a, b, { ...options, ...more })
            const exact = model(Float64Array.from(x), m, n, qa, qb, scale, setting)
            expect(report.status[0]).toBe('ok')
            expect(report.condition[0]! / exact.condition).toBeCloseTo(1, 3)
            expectBound(dtype, m, n, value.data(), exact, Float64Array.from(x), report.residual[0]!)
            return exact
          }
          check({}, (i, j) => Math.max(0, av[i]!) * Math.max(0, bv[j]!))
          check({ scale: device.tensor(s, [m, n]) }, (i, j) => s[i * n + j]!)
          const into = device.tensor(s, [m, n])
          const { squares } = check(
            { accumulate: { into, beta: 0.9 } },
            (i, j, square) => 0.9 * s[i * n + j]! + (1 - 0.9) * square,
          )
          const updated = into.data()
          const largest = Math.max(...squares, ...s)
          squares.forEach((square, k) => {
            const error = Math.abs(updated[k]! - (0.9 * s[k]! + (1 - 0.9) * square))
            expect(error).toBeLessThanOrEqual(4 * (m ** 1.5 + n ** 1.5 + 8) * precision[dtype].ulp * largest * m * n)
          })
        }
      })
    })

    it('solves A Y B + damping Y = X', () => {
      withDevice((device) => {
        const random = new Random(32)
        const [m, n] = [5, 4]
        const gramOf = (size: number) => gram(device.tensor(typed(dtype, random.normals(size * size)), [size, size]))
        const [a, b] = [gramOf(m), gramOf(n)]
        const x = typed(dtype, random.normals(m * n))
        const { value } = kronSolve(device.tensor(x, [m, n]), eigh(a), eigh(b), { damping: { absolute: 0.5 } })
        const y = f64(value)
        const back = multiply(m, n, n, multiply(m, n, m, f64(a), y), f64(b)).map((v, i) => v + 0.5 * y[i]!)
        back.forEach((v, i) => {
          expect(Math.abs(v - x[i]!)).toBeLessThan(2000 * precision[dtype].ulp)
        })
      })
    })

    it('without bases it divides element by element; one side may have one', () => {
      withDevice((device) => {
        const x = device.tensor(typed(dtype, [2, 4, 6, 8]), [2, 2])
        const scale = device.tensor(typed(dtype, [1, 3, 0, 7]), [2, 2])
        const half = kronSolve(x, null, null, { scale, damping: { absolute: 1 }, power: 1 })
        expect(Array.from(half.value.data())).toEqual([1, 1, 6, 1])
        const values = { values: device.tensor(typed(dtype, [1, 3]), [2]) }
        const one = kronSolve(x, values, null, { damping: 'none' })
        const expected = [2, 4, 2, 8 / 3]
        one.value.data().forEach((v: number, i: number) => {
          expect(v).toBeCloseTo(expected[i]!, 6)
        })
      })
    })

    it('what would be divided by zero is dropped and counted', () => {
      withDevice((device) => {
        const x = device.tensor(typed(dtype, [2, 4, 6, 8]), [2, 2])
        const scale = device.tensor(typed(dtype, [1, 0, 0, 2]), [2, 2])
        const { value, report } = kronSolve(x, null, null, { scale, damping: 'none' })
        expect(Array.from(value.data())).toEqual([2, 0, 0, 4])
        expect([report.status[0], report.detail[0], report.condition[0]]).toEqual(['rank_deficient', 2, 2])
      })
    })

    it('same bits alone, in a batch and on two threads; bases broadcast', () => {
      const one = testDevice.open({ threads: 1 })
      const two = testDevice.open({ threads: 2 })
      const random = new Random(33)
      const [m, n, batch] = [150, 130, 3]
      const x = typed(dtype, random.normals(batch * m * n))
      const bases = (device: Device): [KronBasis, KronBasis] => {
        const source = new Random(34)
        return [basisOf(device, dtype, m, source), basisOf(device, dtype, n, source)]
      }
      const run = (device: Device, sides: [KronBasis, KronBasis], data: Data) =>
        kronSolve(device.tensor(data, [data.length / (m * n), m, n]), ...sides, { power: 0.5 }).value.data()
      const sides = bases(one)
      const whole = run(one, sides, x)
      const moved = sides.map(({ vectors, values }) => ({
        vectors: two.tensor(vectors!.data(), vectors!.shape),
        values: two.tensor(values!.data(), values!.shape),
      })) as [KronBasis, KronBasis]
      expectSameBits(run(two, moved, x), whole)
      expectSameBits(run(two, moved, x.slice(m * n, 2 * m * n)), whole.slice(m * n, 2 * m * n))
      one.dispose()
      two.dispose()
    })

    it('a failed matrix keeps its second moment and leaves its neighbours alone', () => {
      withDevice((device) => {
        const random = new Random(35)
        const bad = typed(dtype, random.normals(3 * 12))
        const good = bad.slice()
        bad[15] = Number.NaN
        const s = typed(dtype, new Float64Array(36).fill(0.5))
        const run = (data: Data, options: KronSolveOptions = {}) => {
          const into = device.tensor(s, [3, 3, 4])
          const accumulate = { into, beta: 0.5 }
          const result = kronSolve(device.tensor(data, [3, 3, 4]), null, null, { accumulate, ...options })
          return { ...result, into: into.data(), y: result.value.data() }
        }
        const [wanted, got] = [run(good), run(bad)]
        expect(got.report.status).toEqual(['ok', 'non_finite_input', 'ok'])
        for (const [mine, others] of [
          [got.y, wanted.y],
          [got.into, wanted.into],
        ] as const) {
          expectSameBits(mine.slice(0, 12), others.slice(0, 12))
          expectSameBits(mine.slice(24), others.slice(24))
        }
        expect(got.y.slice(12, 24).every(Number.isNaN)).toBe(true)
        expectSameBits(got.into.slice(12, 24), s.slice(12, 24))
        expect(() => run(bad, { onFailure: 'throw' })).toThrow(SolveError)
      })
    })

    it('negative values are refused with their index', () => {
      withDevice((device) => {
        const x = device.tensor(typed(dtype, [1, 2, 3, 4]), [2, 2])
        const values = device.tensor(typed(dtype, [1, -0.5]), [2])
        const { report } = kronSolve(x, null, { values })
        expect([report.status[0], report.detail[0]]).toEqual(['not_positive_definite', 1])
      })
    })

    it('kronSquares is the second moment alone, also off the JavaScript thread; beta 0 does not read it', async () => {
      const device = testDevice.open()
      const random = new Random(36)
      const [a, b] = [basisOf(device, dtype, 6, random), basisOf(device, dtype, 5, random)]
      const x = device.tensor(typed(dtype, random.normals(30)), [6, 5])
      const old = typed(dtype, new Float64Array(30).fill(Number.NaN))
      const [into, other] = [device.tensor(old, [6, 5]), device.tensor(old, [6, 5])]
      const report = kronSquares(x, a, b, { into, beta: 0, weight: 1 })
      expect(report.status[0]).toBe('ok')
      expect(report.residual[0]).toBeLessThan(20 * 6 * precision[dtype].ulp)
      kronSolve(x, a, b, { accumulate: { into: other, beta: 0 } })
      expectSameBits(into.data(), other.data())
      await kronSquares.async(x, a, b, { into, beta: 0.5 })
      kronSquares(x, a, b, { into: other, beta: 0.5 })
      expectSameBits(into.data(), other.data())
      device.dispose()
    })

    it('out may be x; off the JavaScript thread, the same', async () => {
      const device = testDevice.open()
      const random = new Random(37)
      const [a, b] = [basisOf(device, dtype, 6, random), basisOf(device, dtype, 5, random)]
      const x = device.tensor(typed(dtype, random.normals(30)), [6, 5])
      const apart = kronSolve(x, a, b).value.data()
      const { value } = await kronSolve.async(x, a, b, { out: x })
      expect(value).toBe(x)
      expectSameBits(x.data(), apart)
      device.dispose()
    })
  })
})

describe('kronSolve refuses', () => {
  const device = main.open()
  const x = device.empty([2, 3])
  const [two, three] = [device.empty([2, 2]), device.empty([3, 3])]
  const solve =
    (a: unknown, b: unknown, options: object = {}) =>
    () =>
      kronSolve(x, a as KronBasis, b as KronBasis, options as KronSolveOptions)

  it('what does not fit, by name', () => {
    expectRefused(solve({ vectors: three }, null), 'ERR_SHAPE', 'a.vectors has 3 rows, 2 are needed')
    expectRefused(solve(null, { vectors: two }), 'ERR_SHAPE', 'b.vectors has 2 columns, 3 are needed')
    expectRefused(solve(null, { values: device.empty([2]) }), 'ERR_SHAPE', 'b.values has 2 values, 3 are needed')
    expectRefused(solve({ values: device.empty([4, 2]) }, null), 'ERR_SHAPE', 'the batch of a.values is [4]')
    expectRefused(solve(two, 3), 'ERR_ARGUMENT', 'b must be { vectors, values } or null, got 3')
    expectRefused(solve(null, null, { scale: two }), 'ERR_SHAPE', 'scale has 2 columns, 3 are needed')
    expectRefused(solve(null, null, { power: 2 }), 'ERR_OPTION', 'power must be 1 or 0.5, got 2')
    expectRefused(
      solve(null, null, { damping: { trace: 1 } }),
      'ERR_OPTION',
      'damping must be { absolute }, { relative }',
    )
    expectRefused(solve(null, null, { damping: { absolute: -1 } }), 'ERR_OPTION', 'damping.absolute must be')
    expectRefused(solve(null, null, { factor: 0 }), 'ERR_OPTION', 'factor must be a finite number > 0')
    expectRefused(solve(null, null, { out: two }), 'ERR_SHAPE', 'out has the shape [2, 2]')
    const into = device.empty([2, 3])
    const accumulate = { into, beta: 0.9 }
    expectRefused(solve(null, null, { scale: into, accumulate }), 'ERR_OPTION', 'exclude each other')
    expectRefused(solve(null, null, { accumulate: { into } }), 'ERR_OPTION', 'accumulate.beta must be')
    expectRefused(solve(null, null, { accumulate: { into: x, beta: 0 } }), 'ERR_ALIAS', 'accumulate.into must not be x')
    expectRefused(solve(null, null, { accumulate, out: into }), 'ERR_ALIAS', 'out must not be accumulate.into')
    expectRefused(() => kronSquares(x, null, null, {} as never), 'ERR_ARGUMENT', 'into must be a Tensor')
  })
})
