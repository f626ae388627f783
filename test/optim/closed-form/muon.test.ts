import { describe, test } from 'vitest'
import { muon } from '../../../lib/optim/index.js'
import { directions, expectClose } from './directions.js'

describe('muon', () => {
  test('the exact polar factor times its scale', () => {
    const rule = muon({ method: 'polar', scale: 'unit-rms' })
    // 2 outputs, 1 input: sqrt(2) [3, 4] / 5.
    expectClose(directions(rule, [2, 1], [[3, 4]]), [[0.6 * Math.SQRT2, 0.8 * Math.SQRT2]])
  })

  test.each([
    ['spectral', 'first', 2],
    ['spectral', 'last', 1],
    ['match-rms-adamw', 'first', 0.2 * Math.sqrt(8)],
    ['match-rms-adamw', 'last', 0.2 * Math.sqrt(8)],
    ['unit-rms', 'first', 2],
    ['unit-rms', 'last', 0.5],
    ['none', 'first', 1],
  ] as const)('scale %s with outputs %s', (scale, outputs, factor) => {
    // 8 x 2 with orthonormal columns already.
    const gradient = new Array(16).fill(0)
    gradient[0] = 1
    gradient[3] = 1
    const [direction] = directions(muon({ method: 'polar', scale, outputs }), [8, 2], [gradient])
    expectClose([direction!], [gradient.map((value) => factor * value)])
  })

  test('momentum without Nesterov, then with: the direction is that of the mixture', () => {
    const steps = [
      [3, 0],
      [0, 4],
    ]
    // M = 3/2 e1, then 3/4 e1 + 2 e2; Nesterov's second: 3/8 e1 + (2 + 1) e2.
    const unit = (x: number, y: number) => [x / Math.hypot(x, y), y / Math.hypot(x, y)]
    const plain = muon({ method: 'polar', momentum: 0.5, nesterov: false, scale: 'none' })
    const ahead = muon({ method: 'polar', momentum: 0.5, scale: 'none' })
    expectClose(directions(plain, [1, 2], steps), [[1, 0], unit(0.75, 2)])
    expectClose(directions(ahead, [1, 2], steps), [[1, 0], unit(0.375, 3)])
  })
})
