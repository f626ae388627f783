// spd_solve: "residual = max over columns of |A x - b|_2 / (|A|_F |x|_2 + |b|_2). Bound: residual < 10 n ulp".
import { describe, expect, it } from 'vitest'
import { spdSolve } from '../../lib/index.js'
import {
  type DType,
  frobenius,
  graded,
  multiply,
  oneSmall,
  precision,
  Random,
  shampooEma,
  typed,
} from '../matrices/zoo.js'
import { devicesByRank } from './devices.js'
import { expectSameBits, item, stacked } from './oracle.js'

const { main, others } = devicesByRank()
const dtypes: readonly DType[] = ['f32', 'f64']

/** The header's residual in f64. */
function backwardError(a: Float64Array, x: Float64Array, b: Float64Array, n: number, k: number): number {
  const r = multiply(n, k, n, a, x)
  let worst = 0
  for (let j = 0; j < k; j++) {
    const column = (m: Float64Array) => Float64Array.from({ length: n }, (_, i) => m[i * k + j]!)
    const residual = column(r).map((value, i) => value - b[i * k + j]!)
    const scale = frobenius(a) * frobenius(column(x)) + frobenius(column(b))
    worst = Math.max(worst, scale > 0 ? frobenius(residual) / scale : 0)
  }
  return worst
}

describe.each([main, ...others])('spdSolve on $label', (testDevice) => {
  const sizes = testDevice === main ? [0, 1, 2, 3, 7, 8, 16, 17, 33, 64, 65, 129] : [1, 3, 16, 33, 65]

  describe.each(dtypes)('%s', (dtype) => {
    const { ulp } = precision[dtype]

    it.each(sizes)('stays within 10 n ulp for any condition that factors, n = %i', (n) => {
      const device = testDevice.open()
      const random = new Random(n)
      for (const k of [1, 5, 33]) {
        const matrices = [
          graded(n, 1e4, { dtype, random }),
          oneSmall(n, 1e5, { dtype, random }),
          shampooEma(n, { dtype, random, steps: 10, columns: Math.max(1, n) }),
        ]
        const b = typed(dtype, random.normals(3 * n * k))
        const { value, report } = spdSolve(stacked(device, matrices, dtype), device.tensor(b, [3, n, k]))
        expect(report.status).toEqual(['ok', 'ok', 'ok'])
        for (const [index, matrix] of matrices.entries()) {
          const error = backwardError(matrix.data, item(value.data(), index, n * k), item(b, index, n * k), n, k)
          expect(error, `${matrix.name}, k = ${k}`).toBeLessThanOrEqual(10 * n * ulp)
          if (n > 0) expect(report.residual[index], `reported, ${matrix.name}`).toBeLessThanOrEqual(10 * n * ulp)
        }
      }
      device.dispose()
    })

    it('one matrix against a batch of right-hand sides, and the ridge', () => {
      const device = testDevice.open()
      const matrix = { name: 'zero', n: 4, data: new Float64Array(16) }
      const b = typed(dtype, new Random(1).normals(3 * 4 * 2))
      const { value } = spdSolve(stacked(device, [matrix], dtype), device.tensor(b, [3, 4, 2]), {
        ridge: { absolute: 0.25 },
      })
      expect(value.shape).toEqual([3, 4, 2])
      expect(Array.from(value.data())).toEqual(Array.from(b, (x) => 4 * x))
      device.dispose()
    })

    it('reports the pivot of an indefinite matrix and leaves the neighbours alone, on one thread and two', () => {
      const one = testDevice.open({ threads: 1 })
      const two = testDevice.open({ threads: 2 })
      const n = 18
      const batch = Array.from({ length: 9 }, (_, i) => graded(n, 100, { dtype, random: new Random(i) }))
      const b = typed(dtype, new Random(9).normals(9 * n * 3))
      const clean = spdSolve(stacked(one, batch, dtype), one.tensor(b, [9, n, 3])).value.data()
      const bad = batch.map((matrix, i) => (i === 5 ? { ...matrix, data: matrix.data.map((x) => -x) } : matrix))
      const { value, report } = spdSolve(stacked(two, bad, dtype), two.tensor(b, [9, n, 3]))
      expect(report.status[5]).toBe('not_positive_definite')
      expect(report.detail[5]).toBe(0)
      for (let i = 0; i < 9; i++)
        if (i !== 5)
          expectSameBits(value.data().slice(i * n * 3, (i + 1) * n * 3), clean.slice(i * n * 3, (i + 1) * n * 3))
      one.dispose()
      two.dispose()
    })
  })
})
