// Shampoo's family makes as many native calls for twelve equal parameters as for two, and as many as its plan says.
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Device, open } from '../../lib/device.js'
import {
  asgo,
  eigenvalueCorrectedShampoo,
  klShampoo,
  klSoap,
  type Rule,
  shampoo,
  soap,
  splus,
} from '../../lib/optim/index.js'
import { gradientSequence } from './random.js'
import { optimizerOf } from './run-rule.js'

const calls: string[] = []
vi.mock('../../lib/native/addon.js', async (load) => {
  const module = await load<typeof import('../../lib/native/addon.js')>()
  const counted = new Set(['updateArrays', 'reduceArrays', 'call'])
  const addon = () =>
    new Proxy(module.addon(), {
      get: (target, name) => {
        if (counted.has(String(name))) calls.push(String(name))
        return Reflect.get(target, name)
      },
    })
  return { ...module, addon }
})

let device: Device
beforeAll(() => {
  device = open('cpu')
})
afterAll(() => {
  expect(device.memory().tensors).toBe(0)
  device.dispose()
})

/** Every refresh in steps 1, 3, 5, ... */
const everyOther = { every: (step: number) => (step % 2 === 1 ? 1 : 1000) }

test.each<[string, () => Rule]>([
  ['shampoo', () => shampoo({ merge: 'none', graft: 'adam', refresh: { ...everyOther, start: 1 } })],
  ['shampoo, diagonal', () => shampoo({ sides: { largest: 3 }, merge: 'none', refresh: { ...everyOther, start: 1 } })],
  ['asgo', () => asgo({ refresh: { ...everyOther, start: 1 } })],
  ['klShampoo', () => klShampoo({ merge: 'none', refresh: { ...everyOther, start: 1 } })],
  [
    'eigenvalueCorrectedShampoo',
    () => eigenvalueCorrectedShampoo({ merge: 'none', refresh: { ...everyOther, start: 1 } }),
  ],
  ['soap', () => soap({ refresh: everyOther })],
  ['klSoap', () => klSoap({ refresh: everyOther })],
  ['klSoap, one-sided', () => klSoap({ sides: { which: 'smallest' }, refresh: everyOther })],
  ['splus', () => splus({ refresh: everyOther })],
])('%s', (_, make) => {
  const counts = [2, 12].map((count) => {
    const shapes = Array.from({ length: count }, () => [4, 3])
    const optimizer = optimizerOf(device, shapes, make())
    const { nativeCallsPerStep, nativeCallsPerRefresh } = optimizer.describe()
    const steps = gradientSequence(shapes, 5).map((gradients) => {
      calls.length = 0
      optimizer.step(gradients)
      return { matrices: calls.filter((name) => name === 'call').length, all: calls.length }
    })
    optimizer.dispose()
    // By then every rule moves: step 4 without, step 5 with a refresh.
    expect(steps[3]!.matrices).toBe(nativeCallsPerStep)
    expect(steps[4]!.matrices).toBe(nativeCallsPerStep + nativeCallsPerRefresh)
    return steps
  })
  expect(counts[1]).toEqual(counts[0])
})
