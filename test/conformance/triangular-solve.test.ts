// triangular_solve: "|op(T) X - alpha B| <= 2 (n + 4) ulp |op(T)| |X|, elementwise", failures and report of
// native/include/kronroot/ops.h. The triangle that does not count, and a unit diagonal, hold NaN.
import { describe, expect, it } from 'vitest'
import { triangularSolve } from '../../lib/index.js'
import { type DType, lapackMatrices, otherMatrices, precision, Random, typed, type ZooMatrix } from '../matrices/zoo.js'
import { affordable, devicesByRank } from './devices.js'
import { expectSameBits, item, stacked } from './oracle.js'

const { main, others } = devicesByRank()
const dtypes: readonly DType[] = ['f32', 'f64']

interface Variant {
  readonly side: 'left' | 'right'
  readonly upper: boolean
  readonly transpose: boolean
  readonly unitDiagonal: boolean
}

const variants: readonly Variant[] = Array.from({ length: 16 }, (_, bits) => ({
  side: bits & 1 ? 'right' : 'left',
  upper: (bits & 2) !== 0,
  transpose: (bits & 4) !== 0,
  unitDiagonal: (bits & 8) !== 0,
}))

const nameOf = ({ side, upper, transpose, unitDiagonal }: Variant): string =>
  `${side} ${upper ? 'upper' : 'lower'}${transpose ? ' transposed' : ''}${unitDiagonal ? ' unit' : ''}`

/** The largest element of a row on its diagonal, so that solutions stay in range; scaled to 1 beside a unit diagonal. */
function triangleOf(matrix: ZooMatrix, { upper, unitDiagonal }: Variant, dtype: DType): ZooMatrix {
  const { n, data } = matrix
  const largest = data.reduce((most, x) => Math.max(most, Math.abs(x)), 0) || 1
  const round = dtype === 'f32' ? Math.fround : (x: number) => x
  const triangle = new Float64Array(n * n).fill(Number.NaN)
  for (let i = 0; i < n; i++) {
    let most = 0
    for (let j = 0; j < n; j++) {
      const x = data[i * n + j]!
      most = Math.max(most, Math.abs(x))
      if (j !== i && j > i === upper) triangle[i * n + j] = unitDiagonal ? round(x / (n * largest)) : x
    }
    if (!unitDiagonal) triangle[i * n + i] = data[i * n + i]! < 0 ? -(most || 1) : most || 1
  }
  return { ...matrix, data: triangle }
}

/** op(T) with its zeros and ones. */
function operatorOf(t: Float64Array, n: number, { upper, transpose, unitDiagonal }: Variant): Float64Array {
  return Float64Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n]
    const [row, col] = transpose ? [j, i] : [i, j]
    if (i === j) return unitDiagonal ? 1 : t[row * n + col]!
    return col > row === upper ? t[row * n + col]! : 0
  })
}

/** The largest |op(T) X - alpha B| over |op(T)| |X|; alpha B as the dtype has it. */
function errorOf(e: Float64Array, x: Float64Array, alphaB: Float64Array, n: number, k: number, right: boolean): number {
  let worst = 0
  for (let i = 0; i < n; i++)
    for (let j = 0; j < k; j++) {
      let error = -alphaB[right ? j * n + i : i * k + j]!
      let size = 0
      for (let l = 0; l < n; l++) {
        const term = right ? x[j * n + l]! * e[l * n + i]! : e[i * n + l]! * x[l * k + j]!
        error += term
        size += Math.abs(term)
      }
      if (size > 0) worst = Math.max(worst, Math.abs(error) / size)
    }
  return worst
}

describe.each([main, ...others])('triangularSolve on $label', (testDevice) => {
  const sizes = testDevice === main ? affordable([1, 2, 3, 8, 9, 16, 17, 32, 33, 64, 65, 129, 200], 33) : [1, 5, 33]

  describe.each(dtypes)('%s', (dtype) => {
    const { ulp } = precision[dtype]

    const check = (n: number, k: number, variant: Variant, matrices: readonly ZooMatrix[], alpha: number) => {
      const device = testDevice.open()
      const right = variant.side === 'right'
      const triangles = matrices.map((matrix) => triangleOf(matrix, variant, dtype))
      const sizeOf = ({ data }: ZooMatrix) =>
        variant.unitDiagonal ? 1 : data.reduce((most, x) => (Math.abs(x) > most ? Math.abs(x) : most), 0)
      const random = new Random(n + k)
      const b = typed(
        dtype,
        Float64Array.from(triangles.flatMap((each) => Array.from(random.normals(n * k), (x) => x * sizeOf(each)))),
      )
      const shape = [triangles.length, right ? k : n, right ? n : k]
      const options = { ...variant, alpha }
      const { value, report } = triangularSolve(stacked(device, triangles, dtype), device.tensor(b, shape), options)
      const x = value.data()
      const round = dtype === 'f32' ? Math.fround : (y: number) => y
      triangles.forEach(({ name, data }, index) => {
        const where = `${name}, n = ${n}, k = ${k}, ${nameOf(variant)}`
        expect(report.status[index], where).toBe('ok')
        const alphaB = item(b, index, n * k).map((each) => round(alpha * each))
        const operator = operatorOf(data, n, variant)
        const error = errorOf(operator, item(x, index, n * k), alphaB, n, k, right)
        expect(error, where).toBeLessThanOrEqual(2 * (n + 4) * ulp)
        expect(report.residual[index], `residual, ${where}`).toBeLessThan(2 * (n + 4) * ulp)
        const diagonal = Array.from({ length: n }, (_, i) => Math.abs(operator[i * n + i]!))
        const condition = Math.max(...diagonal) / Math.min(...diagonal)
        if (Number.isFinite(condition)) expect(report.condition[index]! / condition, where).toBeCloseTo(1, 5)
      })
      device.dispose()
    }

    it.each(sizes)('keeps the bound for triangles of every matrix of the zoo, n = %i', (n) => {
      const random = new Random(n)
      const all = [...lapackMatrices(n, { dtype, random }), ...otherMatrices(n, { dtype, random })]
      const zoo = n <= 17 ? all : all.filter((_, i) => i % (n <= 65 ? 5 : 10) === n % 5)
      variants.forEach((variant, index) => {
        check(n, [1, 5, 3, 9][index % 4]!, variant, zoo, index % 3 === 0 ? 1 : -0.75)
      })
    })

    it('keeps it for one matrix with many right-hand sides', () => {
      const [n, k] = [affordable([70], 33).length > 0 ? 70 : 20, 67]
      const zoo = lapackMatrices(n, { dtype, random: new Random(5) })
      for (const variant of variants) check(n, k, variant, [zoo[8]!], 1)
    })

    it.each([6, 40])('solves one triangle of order %i against a batch of right-hand sides', (n) => {
      const device = testDevice.open()
      const variant = variants[3]!
      const [matrix] = lapackMatrices(n, { dtype, random: new Random(2) })
        .slice(8, 9)
        .map((each) => triangleOf(each, variant, dtype))
      const b = typed(dtype, new Random(1).normals(3 * 2 * n))
      const one = triangularSolve(stacked(device, [matrix!], dtype), device.tensor(b, [3, 2, n]), variant)
      const all = triangularSolve(
        stacked(device, [matrix!, matrix!, matrix!], dtype),
        device.tensor(b, [3, 2, n]),
        variant,
      )
      expect(one.value.shape).toEqual([3, 2, n])
      expectSameBits(one.value.data(), all.value.data())
      device.dispose()
    })

    it.each([7, 36, 70])('names failures of order %i and leaves the neighbours alone, on one thread and two', (n) => {
      const one = testDevice.open({ threads: 1 })
      const two = testDevice.open({ threads: 2 })
      const k = 3
      const variant = variants[4]!
      const zoo = lapackMatrices(n, { dtype, random: new Random(n) }).slice(8, 17)
      const triangles = zoo.map((each) => triangleOf(each, variant, dtype))
      const b = new Random(9).normals(9 * n * k)
      const clean = triangularSolve(stacked(one, triangles, dtype), one.tensor(typed(dtype, b), [9, n, k]), variant)
      const bad = triangles.map(({ data, ...rest }) => ({ ...rest, data: data.slice() }))
      bad[1]!.data[2 * n + 2] = 0
      bad[3]!.data[(n - 1) * n] = Number.POSITIVE_INFINITY
      bad[7]!.data[n + 1] = precision[dtype].tiny
      const badB = b.slice()
      badB[5 * n * k + 4] = Number.NaN
      badB[7 * n * k + k] = precision[dtype].huge
      const { value, report } = triangularSolve(
        stacked(two, bad, dtype),
        two.tensor(typed(dtype, badB), [9, n, k]),
        variant,
      )
      const expected = Array.from({ length: 9 }, () => 'ok')
      expected[1] = 'singular'
      expected[3] = expected[5] = 'non_finite_input'
      expected[7] = 'overflow'
      expect(report.status).toEqual(expected)
      expect(report.detail[1]).toBe(2)
      const [x, y] = [value.data(), clean.value.data()]
      for (let i = 0; i < 9; i += 2)
        expectSameBits(x.slice(i * n * k, (i + 1) * n * k), y.slice(i * n * k, (i + 1) * n * k))
      for (const i of [1, 3, 5, 7]) expect(x.subarray(i * n * k, (i + 1) * n * k).every(Number.isNaN)).toBe(true)
      one.dispose()
      two.dispose()
    })
  })
})
