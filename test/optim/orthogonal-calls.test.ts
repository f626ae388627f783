// Calls of the orthogonalized rules: as many for forty equal weights as for one, and as the plan says.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type Device, open } from '../../lib/device.js'
import {
  adamuon,
  dion,
  type ModuleTree,
  modularNorm,
  muon,
  normuon,
  type Rule,
  spectralDescent,
} from '../../lib/optim/index.js'
import { gradientSequence } from './random.js'
import { optimizerOf } from './run-rule.js'

const calls: string[] = []
function counted<F extends (...args: never[]) => unknown>(name: string, op: F): F {
  const count = (...args: Parameters<F>) => {
    calls.push(name)
    return op(...args)
  }
  return count as F
}
vi.mock('../../lib/linalg/orthogonalize.js', async (load) => {
  const module = await load<typeof import('../../lib/linalg/orthogonalize.js')>()
  return { ...module, orthogonalize: counted('orthogonalize', module.orthogonalize) }
})
vi.mock('../../lib/linalg/matmul.js', async (load) => {
  const module = await load<typeof import('../../lib/linalg/matmul.js')>()
  return { ...module, matmul: counted('matmul', module.matmul) }
})
vi.mock('../../lib/linalg/qr.js', async (load) => {
  const module = await load<typeof import('../../lib/linalg/qr.js')>()
  return { ...module, qr: counted('qr', module.qr) }
})
vi.mock('../../lib/linalg/kron-solve.js', async (load) => {
  const module = await load<typeof import('../../lib/linalg/kron-solve.js')>()
  return {
    ...module,
    kronSolve: counted('kronSolve', module.kronSolve),
    kronSquares: counted('kronSquares', module.kronSquares),
  }
})
const elementwise: string[] = []
vi.mock('../../lib/linalg/elementwise-update.js', async (load) => {
  const module = await load<typeof import('../../lib/linalg/elementwise-update.js')>()
  const elementwiseUpdate: typeof module.elementwiseUpdate = (device, kind, arrays) => {
    elementwise.push(kind)
    return module.elementwiseUpdate(device, kind, arrays)
  }
  return { ...module, elementwiseUpdate }
})

let device: Device
beforeAll(() => {
  device = open('cpu')
})
afterAll(() => {
  expect(device.memory().tensors).toBe(0)
  device.dispose()
})

const modules: ModuleTree = {
  series: Array.from({ length: 40 }, (_, p) => ({ parameter: `p${p}`, role: p % 2 === 0 ? 'hidden' : 'embedding' })),
}

describe.each<[string, () => Rule, readonly string[]]>([
  ['muon', () => muon(), ['momentum', 'combine']],
  ['muon in heads', () => muon({ heads: 2 }), ['momentum', 'combine']],
  ['normuon', () => normuon(), ['momentum', 'momentum', 'combine']],
  ['adamuon', () => adamuon(), ['sign', 'adam', 'combine']],
  ['spectralDescent', () => spectralDescent(), ['momentum', 'combine']],
  // B, what stays in M, R over its largest entry, Q.
  ['dion', () => dion(), ['momentum', 'momentum', 'combine', 'combine']],
  ['modularNorm', () => modularNorm({ modules }), ['momentum', 'combine', 'combine']],
])('%s', (_, make, expected) => {
  test('calls do not grow with the number of equal weights', () => {
    const counts = [2, 40].map((count) => {
      const shapes = Array.from({ length: count }, () => [6, 4])
      const optimizer = optimizerOf(device, shapes, make())
      const planned = optimizer.describe().nativeCallsPerStep
      calls.length = 0
      elementwise.length = 0
      optimizer.step(gradientSequence(shapes, 1)[0]!)
      optimizer.dispose()
      expect(calls.length).toBe(planned)
      // The last one moves the parameters.
      expect(elementwise).toEqual([...expected, 'combine'])
      return planned
    })
    expect(counts[0]).toBe(counts[1])
  })
})
