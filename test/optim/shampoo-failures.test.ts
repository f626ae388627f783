// S3, X7: what Shampoo does with factors that have no root and gradients that are not finite.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Device, open } from '../../lib/device.js'
import { type ShampooOptions, shampoo } from '../../lib/optim/index.js'
import { gradientSequence } from './random.js'
import { optimizerOf, runRule } from './run-rule.js'

let device: Device
beforeAll(() => {
  device = open('cpu')
})
afterAll(() => {
  expect(device.memory().tensors).toBe(0)
  device.dispose()
})

describe('failures', () => {
  // Rank-deficient factors without a ridge have no root: 6 x 1 gradients make the left factor singular.
  const unanswerable: ShampooOptions = { merge: 'none', ridge: 'none', root: { method: 'eigh' }, beta1: 0 }
  const column = (index: number) => {
    const gradient = new Float32Array(6)
    gradient[index] = 1
    return gradient
  }

  test('the stale root stays: the identity at first, and the direction is the gradient', () => {
    const optimizer = optimizerOf(device, [[6, 1]], shampoo(unanswerable))
    const before = optimizer.parameters[0]!.value.slice()
    optimizer.step([column(0)])
    // The right factor is 1 x 1 and has a root, 1.
    expect(optimizer.parameters[0]!.value[0]).toBeCloseTo(before[0]! - 0.01, 6)
    const [left, right] = optimizer.report().groups[0]!.solves
    expect(left).toMatchObject({ factor: '6x1 dimension 0', failures: 1, consecutive: 1 })
    expect(left!.statuses).toEqual({ not_positive_definite: 1 })
    expect(right).toMatchObject({ factor: '6x1 dimension 1', failures: 0, consecutive: 0 })
    optimizer.dispose()
  })

  test('three failures are tolerated, the fourth raises, names the factor and moves nothing', () => {
    const optimizer = optimizerOf(device, [[6, 1]], shampoo(unanswerable))
    for (let step = 0; step < 3; step++) optimizer.step([column(0)])
    const before = optimizer.parameters[0]!.value.slice()
    expect(() => optimizer.step([column(0)])).toThrow(
      expect.objectContaining({
        code: 'ERR_NOT_CONVERGED',
        message: expect.stringContaining(
          'p0 block 0 dimension 0 (6 x 6): 4 failures in a row, last not_positive_definite',
        ),
      }),
    )
    expect(optimizer.parameters[0]!.value).toEqual(before)
    expect(optimizer.steps).toBe(3)
    optimizer.dispose()
  })

  test('a success in between starts the count again, and the counter survives a checkpoint', () => {
    const optimizer = optimizerOf(device, [[6, 1]], shampoo({ ...unanswerable, toleratedFailures: 6 }))
    // The sixth direction completes the rank.
    for (let index = 0; index < 5; index++) optimizer.step([column(index)])
    expect(optimizer.stateDict().state['shampoo:p0/block0.failures0']).toEqual(Int32Array.of(5))
    const copy = optimizerOf(device, [[6, 1]], shampoo({ ...unanswerable, toleratedFailures: 6 }))
    copy.loadStateDict(optimizer.stateDict())
    for (const one of [optimizer, copy]) {
      one.step([column(5)])
      expect(one.stateDict().state['shampoo:p0/block0.failures0']).toEqual(Int32Array.of(0))
      one.dispose()
    }
  })

  test('one bad factor does not touch its neighbours in the stack', () => {
    const healthy = shampoo({ ...unanswerable, toleratedFailures: 100 })
    const gradients = gradientSequence([[2, 2]], 4, 9).map(([gradient]) => gradient!)
    const alone = runRule(
      device,
      healthy,
      [[2, 2]],
      gradients.map((gradient) => [gradient]),
    )
    const singular = Float32Array.of(1, 0, 0, 0)
    const beside = runRule(
      device,
      healthy,
      [
        [2, 2],
        [2, 2],
      ],
      gradients.map((gradient) => [gradient, singular]),
    )
    expect(beside.map(([first]) => first)).toEqual(alone.map(([first]) => first))
  })

  test('X7: zero gradients from the start are no failure, however many', () => {
    const optimizer = optimizerOf(device, [[4, 3]], shampoo({ merge: 'none' }))
    for (let step = 0; step < 8; step++) optimizer.step([new Float32Array(12)])
    expect(optimizer.report().failures).toBe(0)
    optimizer.dispose()
  })

  test('a gradient that is not finite never enters a factor, even without an Optimizer in front', () => {
    const rule = shampoo({ merge: 'none', beta2: 0.9 })
    const poisoned = Float32Array.of(1, Number.NaN, 2, 3)
    const [first, second] = gradientSequence([[2, 2]], 2).map(([gradient]) => gradient!)
    const withPoison = runRule(device, rule, [[2, 2]], [[first!], [poisoned], [second!]])
    const withNothing = runRule(device, rule, [[2, 2]], [[first!], [null], [second!]])
    expect(withPoison).toEqual(withNothing)
    expect(withPoison[1]).toEqual([[]])
  })

  test('timings split the step', () => {
    const optimizer = optimizerOf(device, [[30, 20]], shampoo({ refresh: { every: 2 } }))
    optimizer.step(gradientSequence([[30, 20]], 1)[0]!)
    expect(optimizer.timings().refresh).toBe(0)
    optimizer.step(gradientSequence([[30, 20]], 1)[0]!)
    const { statistics, refresh, apply } = optimizer.timings()
    expect(Math.min(statistics, refresh, apply)).toBeGreaterThan(0)
    optimizer.dispose()
  })
})
