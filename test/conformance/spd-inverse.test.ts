// spd_inverse: "|(A + epsilon I) X - I| <= 10 n ulp condition (1-norms)", X symmetric.
import { afterAll, describe, expect, it } from 'vitest'
import { open, spdInverse } from '../../lib/index.js'
import {
  clustered,
  type DType,
  dominated,
  graded,
  identity,
  inverseResidual,
  oneSmall,
  precision,
  Random,
  rankDeficient,
  type ZooMatrix,
} from '../matrices/zoo.js'
import { devicesByRank } from './devices.js'
import { eigenvalues, expectSameBits, item, multiplyOn, stacked } from './oracle.js'

const { main, others } = devicesByRank()
const dtypes: readonly DType[] = ['f32', 'f64']
const product = open('cpu')
afterAll(() => product.dispose())

function withRidge(matrix: ZooMatrix, epsilon: number): Float64Array {
  return matrix.data.map((x, index) => (index % (matrix.n + 1) === 0 ? x + epsilon : x))
}

describe.each([main, ...others])('spdInverse on $label', (testDevice) => {
  const sizes = testDevice === main ? [0, 1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 33, 64, 65, 129, 200] : [1, 3, 16, 33, 65]

  describe.each(dtypes)('%s', (dtype) => {
    const { ulp } = precision[dtype]

    it.each(sizes)('stays within 10 n ulp condition, n = %i', (n) => {
      const device = testDevice.open()
      const random = new Random(n)
      for (const condition of [1, 1e2, 1e4]) {
        const matrices = [graded, clustered, dominated, oneSmall].map((make) => make(n, condition, { dtype, random }))
        const { value, report } = spdInverse(stacked(device, matrices, dtype))
        for (const [index, matrix] of matrices.entries()) {
          expect(report.status[index], matrix.name).toBe('ok')
          const x = item(value.data(), index, n * n)
          for (let i = 0; i < n; i++)
            for (let j = 0; j < i; j++) if (x[i * n + j] !== x[j * n + i]) expect.fail(`${matrix.name}: not symmetric`)
          const w = eigenvalues(product, matrix.data, n)
          const bound = 10 * n * ulp * ((w[n - 1] ?? 1) / (w[0] ?? 1))
          expect(inverseResidual(matrix.data, x, n, multiplyOn(product)), matrix.name).toBeLessThanOrEqual(bound)
        }
      }
      device.dispose()
    })

    it('adds the ridge, and without one reports singular matrices', () => {
      const device = testDevice.open()
      const matrix = rankDeficient(20, 7, { dtype, random: new Random(3) })
      const zero = { name: 'zero', n: 20, data: new Float64Array(400) }
      expect(spdInverse(stacked(device, [zero, identity(20)], dtype)).report.status).toEqual([
        'not_positive_definite',
        'ok',
      ])
      const epsilon = 0.0078125
      const { value, report } = spdInverse(stacked(device, [matrix], dtype), { ridge: { absolute: epsilon } })
      expect(report.status).toEqual(['ok'])
      const residual = inverseResidual(withRidge(matrix, epsilon), Float64Array.from(value.data()), 20)
      expect(residual).toBeLessThanOrEqual((10 * 20 * ulp * (1 + epsilon)) / epsilon)
      expect(report.residual[0]).toBeLessThanOrEqual((10 * 20 * ulp * (1 + epsilon)) / epsilon)
      device.dispose()
    })

    // Small matrices take another path alone than in a batch, large ones the same.
    it.each([
      { n: 37, count: 33, fewer: 17 },
      { n: 300, count: 6, fewer: 1 },
    ])('has the same bits in batches of $count and $fewer, beside a NaN and on two threads, n = $n', (shape) => {
      const { n, count, fewer } = shape
      const one = testDevice.open({ threads: 1 })
      const two = testDevice.open({ threads: 2 })
      const batch = Array.from({ length: count }, (_, i) => graded(n, 100, { dtype, random: new Random(i) }))
      const whole = spdInverse(stacked(one, batch, dtype)).value.data()
      const poisoned = batch.map((matrix, i) =>
        i === 4 ? { ...matrix, data: matrix.data.map(() => Number.NaN) } : matrix,
      )
      const { value, report } = spdInverse(stacked(two, poisoned, dtype))
      expect(report.status[4]).toBe('non_finite_input')
      const expected = (i: number, length: number) => whole.slice(i * n * n, (i + length) * n * n)
      for (let i = 0; i < count; i++) {
        if (i !== 4) expectSameBits(value.data().slice(i * n * n, (i + 1) * n * n), expected(i, 1))
      }
      for (const first of [0, count - fewer]) {
        const part = spdInverse(stacked(two, batch.slice(first, first + fewer), dtype)).value.data()
        expectSameBits(part, expected(first, fewer))
      }
      one.dispose()
      two.dispose()
    })
  })
})
