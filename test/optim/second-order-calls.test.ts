// Second-order rules make as many native calls for twelve equal parameters as for two. Left out: those that iterate until the
// problem is solved.
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Device, open } from '../../lib/device.js'
import { quadraticOracle } from './oracle.js'
import { gradientSequence } from './random.js'
import { SECOND_ORDER } from './rules/second-order.js'
import { optimizerOf } from './run-rule.js'

let calls: string[] = []
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
afterAll(() => device.dispose())

test.each(SECOND_ORDER.filter(({ name }) => !/newtonCg|saddleFree|search/.test(name)))('$name', ({ make }) => {
  const counts = [2, 12].map((count) => {
    const shapes = Array.from({ length: count }, () => [3, 2])
    const optimizer = optimizerOf(device, shapes, make(quadraticOracle()))
    const [first, second] = gradientSequence(shapes, 2)
    calls = []
    optimizer.step(first!)
    // The first step updates everything, as the plan counts it.
    expect(calls.filter((name) => name === 'call').length).toBe(optimizer.describe().nativeCallsPerStep)
    calls = []
    optimizer.step(second!)
    optimizer.dispose()
    return calls.length
  })
  // A clip that no matrix needs is left out.
  expect(Math.abs(counts[1]! - counts[0]!)).toBeLessThanOrEqual(1)
})
