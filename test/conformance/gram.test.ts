// gram: bound as matmul, exactly symmetric, both sides (native/include/kronroot/ops.h).
import { describe, expect, it } from 'vitest'
import { type Device, gram } from '../../lib/index.js'
import { accurateDot, type DType, precision, Random, symmetric, typed } from '../matrices/zoo.js'
import { devicesByRank } from './devices.js'
import { expectSameBits } from './oracle.js'

const { main, others } = devicesByRank()
const dtypes: readonly DType[] = ['f32', 'f64']
type Side = 'left' | 'right'

function check(
  device: Device,
  dtype: DType,
  m: number,
  n: number,
  side: Side,
  alpha: number,
  beta: number,
  random: Random,
) {
  const x = typed(dtype, random.normals(m * n))
  const order = side === 'left' ? m : n
  const depth = side === 'left' ? n : m
  const before = typed(
    dtype,
    symmetric(order, () => random.normal()),
  )
  const out = device.tensor(beta === 0 ? before.map(() => Number.NaN) : before, [order, order])
  const input = device.tensor(x, [m, n])
  const c = gram(input, { side, alpha, beta, out }).data()
  const vector = (i: number) =>
    Float64Array.from({ length: depth + 1 }, (_, l) =>
      l === depth ? 0 : side === 'left' ? x[i * n + l]! : x[l * n + i]!,
    )
  const vectors = Array.from({ length: order }, (_, i) => vector(i))
  for (let i = 0; i < order; i++)
    for (let j = 0; j < order; j++) {
      if (!Object.is(c[i * order + j], c[j * order + i]))
        expect.fail(`not symmetric at (${i}, ${j}), ${m} x ${n} ${side}`)
      const left = vectors[i]!.map((value) => alpha * value)
      left[depth] = beta
      const right = vectors[j]!.slice()
      right[depth] = before[i * order + j]!
      const magnitude = left.reduce((sum, value, l) => sum + Math.abs(value * right[l]!), 0)
      const error = Math.abs(c[i * order + j]! - accurateDot(left, right))
      if (!(error <= (depth + 2) * precision[dtype].ulp * magnitude))
        expect.fail(`${m} x ${n} ${side} ${dtype} alpha ${alpha} beta ${beta}: error ${error} at (${i}, ${j})`)
    }
  out.dispose()
  input.dispose()
}

describe.each([main, ...others])('gram on $label', (testDevice) => {
  describe.each(dtypes)('%s', (dtype) => {
    it.each<Side>(['left', 'right'])('%s, small and around tile edges', (side) => {
      const device = testDevice.open()
      const random = new Random(1)
      for (const [m, n] of [
        [0, 3],
        [3, 0],
        [1, 1],
        [1, 7],
        [7, 1],
        [5, 4],
        [16, 16],
        [17, 31],
        [33, 65],
        [64, 20],
        [129, 30],
      ])
        for (const [alpha, beta] of [
          [1, 0],
          [0.05, 0.95],
          [-2, 1],
        ])
          check(device, dtype, m!, n!, side, alpha!, beta!, random)
      device.dispose()
    })

    it('every order up to 20, alone and in a batch that fills lanes and leaves a tail', () => {
      const device = testDevice.open()
      const random = new Random(3)
      for (let n = 0; n <= 20; n++)
        for (const side of ['left', 'right'] as const) {
          check(device, dtype, n, n, side, 0.05, n % 2, random)
          const x = typed(dtype, random.normals(37 * n * n))
          const whole = gram(device.tensor(x, [37, n, n]), { side }).data()
          for (const i of [0, 15, 16, 36]) {
            const one = device.tensor(x.subarray(i * n * n, (i + 1) * n * n), [n, n])
            expectSameBits(gram(one, { side }).data(), whole.slice(i * n * n, (i + 1) * n * n))
          }
        }
      device.dispose()
    })

    it('a batch has the bits of its matrices, on one thread and two', () => {
      const one = testDevice.open({ threads: 1 })
      const two = testDevice.open({ threads: 2 })
      const x = typed(dtype, new Random(2).normals(33 * 20 * 30))
      for (const side of ['left', 'right'] as const) {
        const whole = gram(one.tensor(x, [33, 20, 30]), { side }).data()
        expectSameBits(gram(two.tensor(x, [33, 20, 30]), { side }).data(), whole)
        const size = whole.length / 33
        for (const i of [0, 5, 32])
          expectSameBits(
            gram(two.tensor(x.subarray(i * 600, (i + 1) * 600), [20, 30]), { side }).data(),
            whole.slice(i * size, (i + 1) * size),
          )
      }
      one.dispose()
      two.dispose()
    })
  })
})
