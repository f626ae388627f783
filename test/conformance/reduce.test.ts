// reduce: "DOT |result - exact| <= (count 2^-52) sum |x_i y_i|; LARGEST is exact" (native/include/kronroot/ops.h).
import { describe, expect, it } from 'vitest'
import { open, type Reduction, reduce } from '../../lib/index.js'
import { accurateDot, type DType, Random, typed } from '../matrices/zoo.js'
import { expectRefused } from '../refusal.js'
import { devicesByRank, type TestDevice } from './devices.js'
import { expectSameBits } from './oracle.js'

const { main, others } = devicesByRank()
const reference: TestDevice = { label: 'reference', open: () => open('reference') }
const dtypes: readonly DType[] = ['f32', 'f64']
const sizes = [0, 1, 2, 3, 7, 8, 9, 31, 33, 100, 16383, 16384, 16385, 50000]

describe.each([main, ...others, reference])('reduce on $label', (testDevice) => {
  describe.each(dtypes)('%s', (dtype) => {
    const arrays = () => {
      const random = new Random(8)
      return sizes.map((count) => ({ x: typed(dtype, random.normals(count)), y: typed(dtype, random.normals(count)) }))
    }

    it('dot keeps the bound', () => {
      const device = testDevice.open()
      const list = arrays()
      const products = reduce(device, 'dot', list)
      const squares = reduce(
        device,
        'dot',
        list.map(({ x }) => ({ x })),
      )
      list.forEach(({ x, y }, index) => {
        const bound = (size: number) => x.length * 2 ** -52 * size
        const sizeOf = (other: ArrayLike<number>) =>
          Float64Array.from(x, (value, i) => Math.abs(value * other[i]!)).reduce((sum, size) => sum + size, 0)
        expect(Math.abs(products[index]! - accurateDot(x, y))).toBeLessThanOrEqual(bound(sizeOf(y)))
        expect(Math.abs(squares[index]! - accurateDot(x, x))).toBeLessThanOrEqual(bound(sizeOf(x)))
      })
      device.dispose()
    })

    it('largest is exact', () => {
      const device = testDevice.open()
      const list = arrays().map(({ x }) => ({ x }))
      const exact = list.map(({ x }) => Float64Array.from(x, Math.abs).reduce((a, b) => Math.max(a, b), 0))
      expect(Array.from(reduce(device, 'largest', list))).toEqual(exact)
      device.dispose()
    })

    it('same bits alone and on two threads', () => {
      const one = testDevice.open({ threads: 1 })
      const two = testDevice.open({ threads: 2 })
      const list = arrays()
      const together = reduce(one, 'dot', list)
      expectSameBits(reduce(two, 'dot', list), together)
      list.forEach((array, index) => {
        expectSameBits(reduce(one, 'dot', [array]), together.slice(index, index + 1))
      })
      one.dispose()
      two.dispose()
    })

    it('infinities and NaN show, in the first, a middle and the last element', () => {
      const device = testDevice.open()
      for (const [bad, wanted] of [
        [Number.NaN, Number.NaN],
        [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
      ] as const)
        for (const at of [0, 777, 19999]) {
          const x = typed(dtype, new Float64Array(20000).fill(1))
          x[at] = bad
          for (const kind of ['dot', 'largest'] as const) {
            expect(Array.from(reduce(device, kind, [{ x: x.slice(0, 0) }, { x }]))).toEqual([0, wanted])
          }
        }
      device.dispose()
    })
  })

  it('the squares of finite f32 numbers do not overflow', () => {
    const device = testDevice.open()
    const x = new Float32Array(1000).fill(3.4028234663852886e38)
    expect(reduce(device, 'dot', [{ x }])[0]).toBeCloseTo(1.1579207543382391e80, -70)
    device.dispose()
  })

  it('takes tensors', () => {
    const device = testDevice.open()
    const x = device.tensor([1, -2, 3, -4], [2, 2])
    expect(reduce(device, 'dot', [{ x }, { x, y: new Float32Array([1, 1, 1, 1]) }])).toEqual(Float64Array.of(30, -2))
    device.dispose()
  })
})

describe('reduce refuses', () => {
  const device = main.open()
  const x = new Float32Array(4)

  it('what it does not know, with the name of the entry', () => {
    expectRefused(
      () => reduce(device, 'sum' as Reduction, []),
      'ERR_OPTION',
      "kind must be 'dot' or 'largest', got 'sum'",
    )
    expectRefused(() => reduce(device, 'dot', undefined as never), 'ERR_ARGUMENT', 'arrays must be a list')
    expectRefused(() => reduce(device, 'dot', [{ z: x } as never]), 'ERR_OPTION', "arrays[0]: there is no option 'z'")
    expectRefused(() => reduce(device, 'dot', [{ x, y: x.subarray(1) }]), 'ERR_SHAPE', 'arrays[0].y has 3 elements')
    expectRefused(() => reduce(device, 'largest', [{ x, y: x }]), 'ERR_SHAPE', 'arrays[0].y: expected NULL')
    expectRefused(
      () => reduce(device, 'dot', [{ x }, { x: new Float64Array(1) }]),
      'ERR_DTYPE',
      'arrays[1].x must be f32',
    )
  })
})
