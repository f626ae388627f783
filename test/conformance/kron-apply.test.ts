// kron_apply: op(A) X op(B); "(m + n + 4) ulp |A| |X| |B|, elementwise" (native/include/kronroot/ops.h).
import { describe, expect, it } from 'vitest'
import { type Device, kronApply } from '../../lib/index.js'
import { type DType, multiply, precision, Random, typed } from '../matrices/zoo.js'
import { devicesByRank } from './devices.js'
import { expectSameBits } from './oracle.js'

const { main, others } = devicesByRank()
const dtypes: readonly DType[] = ['f32', 'f64']

function transposed(a: Float64Array, n: number): Float64Array {
  return a.map((_, index) => a[(index % n) * n + Math.floor(index / n)]!)
}

function check(device: Device, dtype: DType, m: number, n: number, random: Random): void {
  const a = typed(dtype, random.normals(m * m))
  const b = typed(dtype, random.normals(n * n))
  const x = typed(dtype, random.normals(m * n))
  // The f64 product of the test errs by (m + n) 2^-52 itself: f64 gets that much again.
  const bound = (m + n + 4) * precision[dtype].ulp * (dtype === 'f64' ? 2 : 1)
  for (const [left, right] of [
    [a, b],
    [a, null],
    [null, b],
    [null, null],
  ] as const)
    for (const transposeA of [false, true])
      for (const transposeB of [false, true]) {
        const y = kronApply(
          left && device.tensor(left, [m, m]),
          device.tensor(x, [m, n]),
          right && device.tensor(right, [n, n]),
          { transposeA, transposeB },
        ).data()
        const apply = (f: (value: number) => number) => {
          let result: Float64Array = Float64Array.from(x, f)
          const op = (matrix: ArrayLike<number>, size: number, transpose: boolean) =>
            transpose ? transposed(Float64Array.from(matrix, f), size) : Float64Array.from(matrix, f)
          if (left) result = multiply(m, n, m, op(left, m, transposeA), result)
          if (right) result = multiply(m, n, n, result, op(right, n, transposeB))
          return result
        }
        const exact = apply((value) => value)
        const magnitude = apply(Math.abs)
        for (let i = 0; i < m * n; i++)
          if (!(Math.abs(y[i]! - exact[i]!) <= bound * magnitude[i]!))
            expect.fail(
              `${m} x ${n} ${dtype} A^T ${transposeA} B^T ${transposeB}: element ${i}, ${y[i]} and ${exact[i]}`,
            )
      }
}

describe.each([main, ...others])('kronApply on $label', (testDevice) => {
  describe.each(dtypes)('%s', (dtype) => {
    it('every shape, side and transposition', () => {
      const device = testDevice.open()
      const random = new Random(1)
      for (const [m, n] of [
        [0, 3],
        [1, 1],
        [2, 5],
        [5, 2],
        [16, 17],
        [33, 8],
        [40, 65],
      ])
        check(device, dtype, m!, n!, random)
      device.dispose()
    })

    it('is (op(A) (x) op(B)^T) x, checked by hand', () => {
      const device = testDevice.open()
      const a = device.tensor(typed(dtype, [1, 2, 3, 4]), [2, 2])
      const b = device.tensor(typed(dtype, [0, 1, 0, 0, 0, 1, 1, 0, 0]), [3, 3])
      const x = device.tensor(typed(dtype, [1, 2, 3, 4, 5, 6]), [2, 3])
      // A X = [[9, 12, 15], [19, 26, 33]]; B moves column 0 to 1, 1 to 2, 2 to 0.
      expect(Array.from(kronApply(a, x, b).data())).toEqual([15, 9, 12, 33, 19, 26])
      device.dispose()
    })

    it('factors broadcast over a batch; same bits alone and on two threads', () => {
      const one = testDevice.open({ threads: 1 })
      const two = testDevice.open({ threads: 2 })
      const random = new Random(2)
      const [m, n] = [20, 30]
      const a = typed(dtype, random.normals(m * m))
      const b = typed(dtype, random.normals(n * n))
      const x = typed(dtype, random.normals(33 * m * n))
      const run = (device: Device, data: typeof x) =>
        kronApply(
          device.tensor(a, [m, m]),
          device.tensor(data, [data.length / (m * n), m, n]),
          device.tensor(b, [n, n]),
        ).data()
      const whole = run(one, x)
      expectSameBits(run(two, x), whole)
      for (const i of [0, 13, 32]) {
        const slice = x.slice(i * m * n, (i + 1) * m * n)
        expectSameBits(run(two, slice), whole.slice(i * m * n, (i + 1) * m * n))
      }
      one.dispose()
      two.dispose()
    })
  })
})
