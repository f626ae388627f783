// mode_product: "(sum of d_i + 2 k) ulp |X| x_1 |A_1| .. x_k |A_k|, elementwise" (native/include/kronroot/ops.h).
import { describe, expect, it } from 'vitest'
import { type Device, kronApply, modeProduct, open } from '../../lib/index.js'
import { type DType, precision, Random, typed } from '../matrices/zoo.js'
import { expectRefused } from '../refusal.js'
import { devicesByRank, grid, type TestDevice } from './devices.js'
import { expectSameBits } from './oracle.js'

const { main, others } = devicesByRank()
const reference: TestDevice = { label: 'reference', open: () => open('reference') }
const dtypes: readonly DType[] = ['f32', 'f64']
type Data = Float32Array | Float64Array

const product = (extents: readonly number[]) => extents.reduce((total, extent) => total * extent, 1)

/** A factor of e rows: its elements as they lie in memory, and op(A)[j, i]. */
interface Factor {
  readonly data: Data
  readonly shape: readonly [number, number]
  readonly rows: number
  at(j: number, i: number): number
}

function factorOf(data: Data, e: number, d: number, isTransposed: boolean): Factor {
  const at = isTransposed ? (j: number, i: number) => data[i * e + j]! : (j: number, i: number) => data[j * d + i]!
  return { data, shape: isTransposed ? [d, e] : [e, d], rows: e, at }
}

/** One mode after the other, in f64, of f(x) and f(op(A)). */
function model(x: Data, dims: readonly number[], factors: readonly (Factor | null)[], f: (v: number) => number) {
  const shape = [...dims]
  let tensor = Float64Array.from(x, f)
  factors.forEach((factor, mode) => {
    if (factor === null) return
    const [outer, d, inner] = [product(shape.slice(0, mode)), shape[mode]!, product(shape.slice(mode + 1))]
    const next = new Float64Array(outer * factor.rows * inner)
    for (let o = 0; o < outer; o++)
      for (let j = 0; j < factor.rows; j++)
        for (let i = 0; i < d; i++) {
          const a = f(factor.at(j, i))
          for (let q = 0; q < inner; q++)
            next[(o * factor.rows + j) * inner + q]! += a * tensor[(o * d + i) * inner + q]!
        }
    shape[mode] = factor.rows
    tensor = next
  })
  return { tensor, shape }
}

/** Dimensions of X and of Y; 0 in the second stands for no factor. */
const shapes: readonly (readonly [readonly number[], readonly number[]])[] = [
  [
    [3, 5],
    [3, 5],
  ],
  [
    [33, 17],
    [0, 20],
  ],
  [
    [4, 5, 6],
    [4, 5, 6],
  ],
  [
    [4, 5, 6],
    [0, 0, 0],
  ],
  [
    [7, 3, 20],
    [2, 9, 0],
  ],
  [
    [16, 8, 3, 3],
    [16, 8, 3, 3],
  ],
  [
    [16, 8, 2, 2],
    [5, 0, 4, 1],
  ],
  [
    [2, 3, 2, 3, 2, 2, 2, 2],
    [3, 2, 0, 3, 1, 2, 2, 3],
  ],
  [
    [3, 0, 2],
    [3, 4, 2],
  ],
  [
    [65, 30, 20],
    [65, 30, 20],
  ],
]

function check(
  device: Device,
  dtype: DType,
  dims: readonly number[],
  targets: readonly number[],
  random: Random,
): void {
  for (const flags of [0, 0b10110101, 0b11111111]) {
    const transpose = dims.map((_, i) => (flags & (1 << i)) !== 0)
    const x = typed(dtype, random.normals(product(dims)))
    const factors = targets.map((e, i) =>
      e === 0 ? null : factorOf(typed(dtype, random.normals(e * dims[i]!)), e, dims[i]!, transpose[i]!),
    )
    const y = modeProduct(
      device.tensor(x, dims),
      factors.map((factor) => factor && device.tensor(factor.data, factor.shape)),
      { transpose },
    )
    const exact = model(x, dims, factors, (value) => value)
    const magnitude = model(x, dims, factors, Math.abs).tensor
    expect(y.shape).toEqual(exact.shape)
    // The f64 product of the test errs itself: f64 gets that much again.
    const terms = dims.reduce((sum, d) => sum + d + 2, 0) * (dtype === 'f64' ? 2 : 1)
    const got = y.data()
    got.forEach((value: number, i: number) => {
      if (!(Math.abs(value - exact.tensor[i]!) <= terms * precision[dtype].ulp * magnitude[i]!))
        expect.fail(`${dims} -> ${targets} ${dtype}: element ${i}, ${value} and ${exact.tensor[i]}`)
    })
  }
}

describe.each([main, ...others, reference])('modeProduct on $label', (testDevice) => {
  describe.each(dtypes)('%s', (dtype) => {
    it.each(shapes)('%j to %j keeps the bound', (dims, targets) => {
      const device = testDevice.open()
      check(device, dtype, dims, targets, new Random(21))
      device.dispose()
    })

    it('same bits alone, in a batch, and on two threads; factors broadcast', () => {
      const one = testDevice.open({ threads: 1 })
      const two = testDevice.open({ threads: 2 })
      const random = new Random(22)
      const rows = grid(64, 34)
      const dims = [rows, grid(40, 6), 30]
      const size = product(dims)
      const x = typed(dtype, random.normals(5 * size))
      const own = typed(dtype, random.normals(5 * rows * rows))
      const shared = typed(dtype, random.normals(30 * 30))
      const run = (device: Device, first: number, count: number) =>
        modeProduct(device.tensor(x.slice(first * size, (first + count) * size), [count, ...dims]), [
          device.tensor(own.slice(first * rows * rows, (first + count) * rows * rows), [count, rows, rows]),
          null,
          device.tensor(shared, [30, 30]),
        ]).data()
      const whole = run(one, 0, 5)
      expectSameBits(run(two, 0, 5), whole)
      for (const i of [0, 3, 4]) {
        expectSameBits(run(one, i, 1), whole.slice(i * size, (i + 1) * size))
        expectSameBits(run(two, i, 1), whole.slice(i * size, (i + 1) * size))
      }
      one.dispose()
      two.dispose()
    })

    it('a bad tensor leaves its neighbours alone', () => {
      const device = testDevice.open()
      const random = new Random(23)
      const x = typed(dtype, random.normals(3 * 24))
      const factors = [2, 3, 4].map((n) => device.tensor(typed(dtype, random.normals(n * n)), [n, n]))
      const run = (data: Data) => modeProduct(device.tensor(data, [3, 2, 3, 4]), factors).data()
      const good = run(x)
      x[30] = Number.NaN
      const bad = run(x)
      for (const i of [0, 2]) expectSameBits(bad.slice(24 * i, 24 * (i + 1)), good.slice(24 * i, 24 * (i + 1)))
      expect(bad.slice(24, 48).some(Number.isNaN)).toBe(true)
      device.dispose()
    })

    it('of order 2 is kronApply with the right factor transposed', () => {
      const device = testDevice.open()
      const random = new Random(24)
      const [a, b, x] = [6, 9, 0].map((n) => typed(dtype, random.normals(n * n || 54)))
      const [left, right] = [device.tensor(a!, [6, 6]), device.tensor(b!, [9, 9])]
      const matrix = device.tensor(x!, [6, 9])
      const product = modeProduct(matrix, [left, right]).data()
      kronApply(left, matrix, right, { transposeB: true })
        .data()
        .forEach((value: number, i: number) => {
          expect(Math.abs(product[i]! - value)).toBeLessThan(500 * precision[dtype].ulp)
        })
      device.dispose()
    })

    it('off the JavaScript thread, the same', async () => {
      const device = testDevice.open()
      const x = device.tensor(typed(dtype, [1, 2, 3, 4, 5, 6, 7, 8]), [2, 2, 2])
      const swap = device.tensor(typed(dtype, [0, 1, 1, 0]), [2, 2])
      const out = device.empty([2, 2, 2], { dtype })
      expect(await modeProduct.async(x, [null, swap, null], { out })).toBe(out)
      expect(Array.from(out.data())).toEqual([3, 4, 1, 2, 7, 8, 5, 6])
      device.dispose()
    })
  })
})

describe('modeProduct refuses', () => {
  const device = main.open()
  const x = device.empty([2, 3, 4])
  const [three, four] = [device.empty([3, 3]), device.empty([4, 4])]

  it('what does not fit, by name', () => {
    expectRefused(() => modeProduct(x, []), 'ERR_ARGUMENT', 'factors must be a list of 1 to 8 matrices or nulls')
    expectRefused(() => modeProduct(x, [null, null, null, null]), 'ERR_ARGUMENT', 'at most one for each dimension')
    expectRefused(() => modeProduct(x, null as never), 'ERR_ARGUMENT', 'got null')
    expectRefused(() => modeProduct(x, [three]), 'ERR_SHAPE', 'factors[0] has 3 columns, 4 are needed')
    expectRefused(() => modeProduct(x, [null, undefined as never]), 'ERR_ARGUMENT', 'factors[1] must be a Tensor')
    expectRefused(() => modeProduct(x, [three, four], { transpose: [true] }), 'ERR_OPTION', 'a list of 2 flags')
    expectRefused(
      () => modeProduct(x, [three, four], { transpose: [true, 1 as never] }),
      'ERR_OPTION',
      'transpose[1] must be true or false',
    )
    expectRefused(() => modeProduct(x, [device.empty([3, 3, 3]), four]), 'ERR_SHAPE', 'the batch of factors[0] is [3]')
    expectRefused(() => modeProduct(x, [three, four], { out: x }), 'ERR_ALIAS', 'out must not be x')
    expectRefused(() => modeProduct(x, [three, four], { out: three }), 'ERR_SHAPE', 'out has the shape [3, 3]')
  })
})
