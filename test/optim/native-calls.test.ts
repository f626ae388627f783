import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Device, open } from '../../lib/device.js'
import {
  accumulate,
  adamw,
  lookahead,
  mars,
  muon,
  type Rule,
  type ShampooOptions,
  scheduleFree,
  sgd,
  shampoo,
  vrgd,
  xgrad,
} from '../../lib/optim/index.js'
import { quadraticOracle } from './oracle.js'
import { gradientSequence } from './random.js'
import { FIRST_ORDER } from './rules/first-order.js'
import { optimizerOf, runRule } from './run-rule.js'

// Every native op that the rules call goes through a counter.
const calls: Record<string, number> = {}
function counted<F extends (...args: never[]) => unknown>(name: string, op: F): F {
  const count = (...args: Parameters<F>) => {
    calls[name] = (calls[name] ?? 0) + 1
    return op(...args)
  }
  return count as F
}
vi.mock('../../lib/linalg/gram.js', async (load) => {
  const module = await load<typeof import('../../lib/linalg/gram.js')>()
  return { ...module, gram: counted('gram', module.gram) }
})
vi.mock('../../lib/linalg/mode-product.js', async (load) => {
  const module = await load<typeof import('../../lib/linalg/mode-product.js')>()
  return { ...module, modeProduct: counted('modeProduct', module.modeProduct) }
})
vi.mock('../../lib/linalg/kron-apply.js', async (load) => {
  const module = await load<typeof import('../../lib/linalg/kron-apply.js')>()
  return { ...module, kronApply: counted('kronApply', module.kronApply) }
})
vi.mock('../../lib/linalg/inverse-root.js', async (load) => {
  const module = await load<typeof import('../../lib/linalg/inverse-root.js')>()
  return { ...module, inverseRoot: counted('inverseRoot', module.inverseRoot) }
})
// Elementwise calls are counted apart: plans count those on matrices.
const elementwise: string[] = []
vi.mock('../../lib/linalg/elementwise-update.js', async (load) => {
  const module = await load<typeof import('../../lib/linalg/elementwise-update.js')>()
  const elementwiseUpdate: typeof module.elementwiseUpdate = (device, kind, arrays) => {
    elementwise.push(kind)
    return module.elementwiseUpdate(device, kind, arrays)
  }
  return { ...module, elementwiseUpdate }
})
vi.mock('../../lib/linalg/reduce.js', async (load) => {
  const module = await load<typeof import('../../lib/linalg/reduce.js')>()
  const reduce: typeof module.reduce = (device, kind, arrays) => {
    elementwise.push(kind)
    return module.reduce(device, kind, arrays)
  }
  return { ...module, reduce }
})

let device: Device
beforeAll(() => {
  device = open('cpu')
})
afterAll(() => {
  expect(device.memory().tensors).toBe(0)
  device.dispose()
})
beforeEach(() => {
  for (const name of Object.keys(calls)) delete calls[name]
  elementwise.length = 0
})

describe('native calls', () => {
  const step = (shapes: readonly (readonly number[])[], options: ShampooOptions) => {
    const optimizer = optimizerOf(device, shapes, shampoo(options))
    const plan = optimizer.describe()
    optimizer.step(gradientSequence(shapes, 1)[0]!)
    optimizer.dispose()
    const total = Object.values(calls).reduce((sum, count) => sum + count, 0)
    expect(total).toBe(plan.nativeCallsPerStep + plan.nativeCallsPerRefresh)
    return { ...calls }
  }

  test('one matrix: two Gram matrices, two roots, one application', () => {
    expect(step([[6, 4]], { merge: 'none' })).toEqual({ gram: 2, inverseRoot: 2, kronApply: 1 })
  })

  test('forty equal matrices cost the calls of one', () => {
    const shapes = Array.from({ length: 40 }, () => [6, 4])
    expect(step(shapes, { merge: 'none' })).toEqual({ gram: 2, inverseRoot: 2, kronApply: 1 })
  })

  test.each<[string, () => Rule, readonly string[]]>([
    ['sgd', () => sgd({ momentum: 0.9, nesterov: true }), ['dot', 'momentum', 'combine']],
    ['adamw', () => adamw(), ['dot', 'adam', 'combine']],
    ['muon', () => muon(), ['dot', 'momentum', 'combine', 'combine']],
    [
      'shampoo with graft',
      () => shampoo({ merge: 'none', graft: 'adam', refresh: { start: 1 } }),
      // Screening twice, for rules are used alone too; average, graft, two norms and their transfer; the step.
      ['dot', 'dot', 'momentum', 'adam', 'dot', 'dot', 'combine', 'combine'],
    ],
    // Moves, way back and start again; move and distance; average, distance; c, its norm, which is small, what is remembered; the step.
    ['lookahead', () => lookahead(sgd(), { every: 1 }), ['dot', 'combine', 'combine', 'combine', 'combine']],
    ['xgrad', () => xgrad(sgd()), ['dot', 'combine', 'combine', 'combine']],
    ['scheduleFree', () => scheduleFree(sgd()), ['dot', 'combine', 'combine', 'combine']],
    ['mars', () => mars(sgd()), ['dot', 'combine', 'dot', 'combine', 'combine']],
    [
      'vrgd',
      () => vrgd(sgd(), { variance: (specs) => specs.map(() => new Float32Array(24).fill(1)) }),
      ['dot', 'quotient', 'dot', 'product', 'product', 'combine'],
    ],
    ['accumulate', () => accumulate(sgd(), { every: 1 }), ['dot', 'combine', 'combine']],
  ])('%s: elementwise calls do not grow with the number of parameters', (_, rule, expected) => {
    for (const count of [1, 40]) {
      elementwise.length = 0
      const shapes = Array.from({ length: count }, () => [6, 4])
      const optimizer = optimizerOf(device, shapes, rule())
      optimizer.step(gradientSequence(shapes, 1)[0]!)
      optimizer.dispose()
      expect(elementwise).toEqual(expected)
    }
  })

  test.each(FIRST_ORDER)('$name: as many elementwise calls for a dozen parameters as for one', (rule) => {
    // Whether a trial step stands must not depend on how many parameters there are.
    const oracle = { ...quadraticOracle(), loss: () => 0 }
    const counts = [1, 12].map((count) => {
      elementwise.length = 0
      const shapes = Array.from({ length: count }, () => [6, 4])
      const optimizer = optimizerOf(device, shapes, rule.make(oracle))
      for (const gradients of gradientSequence(shapes, 3)) optimizer.step(gradients)
      optimizer.dispose()
      return [...elementwise]
    })
    expect(counts[1]).toEqual(counts[0])
  })

  test('blocks of one large matrix that are equal cost the calls of one', () => {
    expect(step([[24, 16]], { merge: 'none', blockSize: 4 })).toEqual({ gram: 2, inverseRoot: 2, kronApply: 1 })
  })

  test('vectors take one of each, tensors of order k take k statistics and k roots', () => {
    expect(step([[5], [5]], {})).toEqual({ gram: 1, inverseRoot: 1, kronApply: 1 })
    for (const name of Object.keys(calls)) delete calls[name]
    expect(step([[3, 4, 5]], { merge: 'none' })).toEqual({ gram: 3, inverseRoot: 3, modeProduct: 1 })
  })

  test('a side that is left alone costs nothing', () => {
    const options: ShampooOptions = { merge: 'none', exponentOverride: { 2: [0.5, 0] } }
    expect(step([[6, 4]], options)).toEqual({ gram: 1, inverseRoot: 1, kronApply: 1 })
  })

  test('roots are computed only when they are due', () => {
    const shapes = [[6, 4]]
    const optimizer = optimizerOf(device, shapes, shampoo({ merge: 'none', refresh: { every: 3, start: 2 } }))
    const roots = gradientSequence(shapes, 9).map((gradients) => {
      calls.inverseRoot = 0
      optimizer.step(gradients)
      return calls.inverseRoot
    })
    optimizer.dispose()
    expect(roots).toEqual([0, 2, 2, 0, 0, 2, 0, 0, 2])
  })

  test('schedules: beta2, ridge, refresh period and momentum may be functions of the step', () => {
    const shapes = [[6, 4]]
    const rule = shampoo({
      merge: 'none',
      beta1: (step) => (step < 3 ? 0.5 : 0.9),
      beta2: (step) => 1 - 1 / (step + 1),
      ridge: { relative: (step) => 1e-3 / step },
      refresh: { every: (step) => (step < 4 ? 1 : 2) },
      momentum: (step) => 0.5 / step,
      nesterov: true,
    })
    const directions = runRule(device, rule, shapes, gradientSequence(shapes, 6))
    expect(directions.flat(2).every(Number.isFinite)).toBe(true)
    // Steps 1, 2, 3, 4 and 6.
    expect(calls.inverseRoot).toBe(2 * 5)
  })
})
