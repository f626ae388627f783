import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Device, open } from '../../lib/device.js'
import {
  adamw,
  ema,
  Optimizer,
  type Parameter,
  polynomialAverage,
  swa,
  WeightAverage,
  type WeightAverageState,
} from '../../lib/optim/index.js'
import { gradientSequence, normal, normalArray } from './random.js'

let device: Device
beforeAll(() => {
  device = open('cpu')
})
afterAll(() => {
  expect(device.memory()).toEqual({ bytes: 0, tensors: 0 })
  device.dispose()
})

const SHAPES = [[6, 4], [5], []]
const size = (shape: readonly number[]) => shape.reduce((product, dimension) => product * dimension, 1)

function parameters(): Parameter[] {
  const next = normal(2)
  return SHAPES.map((shape, index) => ({ name: `p${index}`, shape, value: normalArray(size(shape), next) }))
}

/** Values after each of the steps, and the averages beside them. */
function run(weight: (t: number) => number, steps: number, stop = steps) {
  const params = parameters()
  const optimizer = new Optimizer(device, [{ params, rule: adamw(), lr: 0.1 }])
  let average = new WeightAverage(device, params, weight)
  const values: Float32Array[][] = []
  gradientSequence(SHAPES, steps).forEach((gradients, step) => {
    if (step === stop) {
      const saved = structuredClone(average.stateDict())
      average.dispose()
      average = new WeightAverage(device, params, weight)
      average.loadStateDict(saved)
    }
    optimizer.step(gradients)
    average.update()
    values.push(params.map(({ value }) => value.slice()))
  })
  const result = { values, averages: average.values(), updates: average.updates }
  average.dispose()
  optimizer.dispose()
  return result
}

test.each([
  ['swa', swa({ start: 3, every: 2 })],
  ['ema', ema({ decay: 0.9 })],
  ['polynomial', polynomialAverage()],
] as const)('%s: the recursion in fp64', (_, weight) => {
  const { values, averages, updates } = run(weight, 12)
  expect(updates).toBe(12)
  SHAPES.forEach((_, index) => {
    let expected = [...values[0]![index]!]
    for (let t = 2; t <= 12; t++) {
      const now = values[t - 1]![index]!
      expected = expected.map((a, i) => a + weight(t) * (now[i]! - a))
    }
    for (const [i, value] of averages[index]!.entries()) expect(value).toBeCloseTo(expected[i]!, 5)
  })
})

test('a saved average goes on to the bit', () => {
  expect(run(ema(), 9, 4)).toEqual(run(ema(), 9))
})

test('before the first update it is the weights, and copies do not follow', () => {
  const params = parameters()
  using average = new WeightAverage(device, params, ema())
  expect(average.values()).toEqual(params.map(({ value }) => value))
  average.update()
  const copies = average.values()
  params[0]!.value.fill(9)
  average.update()
  expect(copies[0]![0]).not.toBe(average.values()[0]![0])
  expect(average.values()[1]).toEqual(params[1]!.value)
})

test('refuses weights out of range, and states of something else', () => {
  const params = parameters()
  expect(() => new WeightAverage(device, params, 0.9 as never)).toThrow('WeightAverage: weight must be a function')
  using average = new WeightAverage(device, params, () => 2)
  average.update()
  expect(() => average.update()).toThrow('WeightAverage: weight at update 2 must be a number from 0 to 1, got 2')
  const saved = average.stateDict()
  const wrong: [WeightAverageState, string][] = [
    [{ ...saved, version: 2 as never }, 'kronroot.average version 1'],
    [{ ...saved, updates: -1 }, 'updates -1'],
    [{ ...saved, state: {} }, 'p0/average is missing'],
  ]
  for (const [state, message] of wrong) {
    expect(() => average.loadStateDict(state)).toThrow(
      expect.objectContaining({ code: 'ERR_STATE', message: expect.stringContaining(message) }),
    )
  }
})
