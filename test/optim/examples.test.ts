// Factor statistics of the gradients of examples: E g g^T in place of (E g) (E g)^T.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Device, open } from '../../lib/device.js'
import {
  eigenvalueCorrectedShampoo,
  klShampoo,
  klSoap,
  Optimizer,
  type Parameter,
  type Rule,
  shampoo,
  soap,
  splus,
} from '../../lib/optim/index.js'
import { gradientSequence } from './random.js'

let device: Device
beforeAll(() => {
  device = open('cpu')
})
afterAll(() => {
  expect(device.memory().tensors).toBe(0)
  device.dispose()
})

const shapes = [[4, 3], [4, 3], [5]]
const size = (shape: readonly number[]) => shape.reduce((product, extent) => product * extent, 1)

function optimizerOf(rule: Rule): { optimizer: Optimizer; params: Parameter[] } {
  const params = shapes.map((shape, p) => ({ name: `p${p}`, shape, value: new Float32Array(size(shape)) }))
  return { optimizer: new Optimizer(device, [{ params, rule, lr: 0.1 }]), params }
}

const mean = (lists: readonly Float32Array[][]) =>
  lists[0]!.map((first, p) => first.map((_, i) => lists.reduce((sum, list) => sum + list[p]![i]!, 0) / lists.length))

describe.each<[string, () => Rule]>([
  ['shampoo', () => shampoo({ merge: 'none', beta2: 0.9 })],
  ['klShampoo', () => klShampoo({ merge: 'none' })],
  ['eigenvalueCorrectedShampoo', () => eigenvalueCorrectedShampoo({ merge: 'none', beta2: 0.9 })],
  ['soap', () => soap({ refresh: { every: 1 } })],
  ['klSoap', () => klSoap({ refresh: { every: 1 } })],
  ['splus', () => splus({ refresh: { every: 1 } })],
])('%s', (_, make) => {
  test('examples that all are the gradient change nothing but rounding', () => {
    const [one, other] = [optimizerOf(make()), optimizerOf(make())]
    for (const gradients of gradientSequence(shapes, 1)) {
      one.optimizer.step(gradients)
      other.optimizer.step(gradients, { examples: [gradients, gradients, gradients, gradients] })
    }
    const [plain, split] = [one, other].map(({ optimizer }) => optimizer.stateDict().state)
    for (const key of Object.keys(plain!).filter((name) => /statistic|startWeight|seen/.test(name))) {
      const near = Array.from(plain![key]!, (value) => expect.closeTo(value, 5))
      expect(Array.from(split![key]!), key).toEqual(near)
    }
    one.optimizer.dispose()
    other.optimizer.dispose()
  })

  test('a parameter without a gradient takes no statistics of its examples; nor does one with a NaN among them', () => {
    const { optimizer } = optimizerOf(make())
    const lists = gradientSequence(shapes, 2)
    optimizer.step(lists[0]!)
    const before = optimizer.stateDict().state
    const poisoned = lists[1]!.map((gradient) => gradient.slice())
    poisoned[2]![0] = Number.NaN
    optimizer.step([null, lists[1]![1]!, null], { examples: [lists[1]!, poisoned] })
    const after = optimizer.stateDict().state
    const own = Object.keys(before).filter((key) => /statistic/.test(key))
    for (const key of own.filter((name) => !name.includes(':p1/'))) expect(after[key], key).toEqual(before[key])
    for (const key of own.filter((name) => name.includes(':p1/'))) expect(after[key], key).not.toEqual(before[key])
    optimizer.dispose()
  })
})

describe('shampoo', () => {
  test('statistics are the mean of the examples’ own, whatever their sum', () => {
    const examples = gradientSequence(shapes, 3)
    const opposite = examples.map((list) => list.map((gradient) => gradient.map((value) => -value)))
    const { optimizer } = optimizerOf(shampoo({ merge: 'none' }))
    const gradients = mean([...examples, ...opposite]).map((gradient) => gradient.fill(1e-3))
    optimizer.step(gradients, { examples: [...examples, ...opposite] })
    const found = optimizer.stateDict().state['shampoo:p0/block0.statistic1']!
    // G^T G of 4 x 3, lower triangle.
    const expected: number[] = []
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = 0
        for (const [g] of examples) for (let k = 0; k < 4; k++) sum += (g![3 * k + i]! * g![3 * k + j]!) / 3
        expected.push(sum)
      }
    }
    expect([...found]).toEqual(expected.map((value) => expect.closeTo(value, 5)))
    optimizer.dispose()
  })

  test('misfits are named before anything is done', () => {
    const { optimizer } = optimizerOf(shampoo())
    const [gradients] = gradientSequence(shapes, 1)
    const before = optimizer.stateDict()
    expect(() => optimizer.step(gradients!, { examples: [gradients!.slice(1)] })).toThrow(
      expect.objectContaining({ code: 'ERR_SHAPE' }),
    )
    expect(() => optimizer.step(gradients!, { example: [] } as never)).toThrow("there is no option 'example'")
    expect(() => optimizer.step(gradients!, { examples: 3 } as never)).toThrow(
      'step: examples must be a list of gradients, got 3',
    )
    expect(optimizer.stateDict()).toEqual(before)
    optimizer.dispose()
  })
})
