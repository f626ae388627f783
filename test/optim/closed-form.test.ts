// Two-step cases worked out by hand. S1 of background/optimizers.md, section 5, and the defining formulas.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Device, open } from '../../lib/device.js'
import { adagrad, adamw, muon, type Rule, rmsprop, sgd, shampoo } from '../../lib/optim/index.js'
import { runRule } from './run-rule.js'

let device: Device
beforeAll(() => {
  device = open('cpu')
})
afterAll(() => device.dispose())

/** Directions of one parameter, step by step. */
function directions(rule: Rule, shape: readonly number[], gradients: readonly (readonly number[])[]): number[][] {
  const lists = gradients.map((gradient) => [Float32Array.from(gradient)])
  return runRule(device, rule, [shape], lists).map(([direction]) => direction!)
}

function expectClose(actual: readonly number[][], expected: readonly (readonly number[])[], tolerance = 1e-6): void {
  expect(actual.map((list) => list.length)).toEqual(expected.map((list) => list.length))
  actual.flat().forEach((value, index) => {
    expect(Math.abs(value - expected.flat()[index]!), `${actual} against ${expected}`).toBeLessThan(tolerance)
  })
}

describe('elementwise rules', () => {
  test('sgd', () =>
    expectClose(
      directions(
        sgd(),
        [2],
        [
          [1, -2],
          [3, 4],
        ],
      ),
      [
        [1, -2],
        [3, 4],
      ],
    ))

  test('sgd with momentum 1/2: g, then g/2 + g', () => {
    expectClose(directions(sgd({ momentum: 0.5 }), [1], [[4], [6]]), [[4], [8]])
  })

  test('sgd with dampening 1/4: the first gradient enters whole', () => {
    expectClose(directions(sgd({ momentum: 0.5, dampening: 0.25 }), [1], [[4], [8]]), [[4], [8]])
  })

  test('sgd, Nesterov: g + mu b', () => {
    expectClose(directions(sgd({ momentum: 0.5, nesterov: true }), [1], [[4], [6]]), [[6], [10]])
  })

  test('adamw: the first direction is the sign, a constant gradient keeps it', () => {
    expectClose(
      directions(
        adamw(),
        [3],
        [
          [1e-3, -5, 0],
          [1e-3, -5, 0],
        ],
      ),
      [
        [1, -1, 0],
        [1, -1, 0],
      ],
      2e-5,
    )
  })

  test('adamw, beta 1/2 and 3/4: g = 4, 8', () => {
    // m = 2, 5; m' = 4, 20/3; v = 4, 19; v' = 16, 19 / (7/16).
    const second = 20 / 3 / Math.sqrt((19 * 16) / 7)
    expectClose(directions(adamw({ beta1: 0.5, beta2: 0.75 }), [1], [[4], [8]]), [[1], [second]])
  })

  test('adamw, betas that change: corrections are products', () => {
    // beta1 = 1/2, then 0: m' = 6. beta2 = 1/2, then 1/4: v = 2, 1/2 + 27 = 27.5; 1 - 1/8 = 7/8.
    const rule = adamw({ beta1: (step) => (step === 1 ? 0.5 : 0), beta2: (step) => (step === 1 ? 0.5 : 0.25) })
    expectClose(directions(rule, [1], [[2], [6]]), [[1], [6 / Math.sqrt(27.5 / 0.875)]])
  })

  test('rmsprop starts at 1 / sqrt(1 - beta2)', () => {
    expectClose(directions(rmsprop({ beta2: 0.75 }), [1], [[3], [3]]), [[2], [3 / Math.sqrt(9 * (7 / 16))]])
  })

  test('adagrad: 3, 4 -> 1, 4/5', () => expectClose(directions(adagrad(), [1], [[3], [4]]), [[1], [0.8]]))
})

describe('shampoo (S1), without averages and with negligible ridge', () => {
  const bare = (options: Parameters<typeof shampoo>[0] = {}) =>
    shampoo({ beta1: 0, merge: 'none', ridge: { absolute: 1e-12 }, root: { method: 'eigh' }, ...options })

  test('[1, 0], then [0, 1]: the factor is the identity, so is the preconditioner', () => {
    expectClose(
      directions(
        bare(),
        [2],
        [
          [1, 0],
          [0, 1],
        ],
      ),
      [
        [1, 0],
        [0, 1],
      ],
    )
  })

  test('I / sqrt(2) twice: L = R = I', () => {
    const half = Math.SQRT1_2
    const identity = [half, 0, 0, half]
    // After one step L = R = I / 2, so the direction is 2^{1/4} 2^{1/4} I / sqrt(2) = I.
    expectClose(directions(bare(), [2, 2], [identity, identity]), [[1, 0, 0, 1], identity])
  })

  test('[[1, 0]], then [[0, 1]]: L = [2], R = I, so the scale is 2^{-1/4}', () => {
    expectClose(
      directions(
        bare(),
        [1, 2],
        [
          [1, 0],
          [0, 1],
        ],
      ),
      [
        [1, 0],
        [0, 2 ** -0.25],
      ],
    )
  })

  test('a scalar: 3, then 4 -> 1, then 4 / 5', () => {
    expectClose(directions(bare(), [], [[3], [4]]), [[1], [0.8]])
  })

  test('X2: a 1 x 1 factor a becomes a^{-1/4}, not 1', () => {
    // 16 x 16 = 256; 256^{-1/4} = 1/4 on both sides.
    expectClose(directions(bare(), [1, 1], [[16]]), [[1]])
  })

  test('X4: the ridge is added before the root', () => {
    // (9 + 7)^{-1/2} = 1/4, while 9^{-1/2} + 7 would be something else.
    expectClose(directions(bare({ ridge: { absolute: 7 } }), [1], [[3]]), [[0.75]])
  })

  test('one step without accumulation is the polar factor: (G G^T)^{-1/4} G (G^T G)^{-1/4} = U V^T', () => {
    // G = diag(3, 4) times a rotation by the 3-4-5 triangle.
    const rotation = [0.6, -0.8, 0.8, 0.6]
    expectClose(directions(bare(), [2, 2], [[1.8, -2.4, 3.2, 2.4]]), [rotation])
  })

  test('exponent 1/2 on the left only whitens the rows', () => {
    const rule = bare({ exponentOverride: { 2: [0.5, 0] } })
    expectClose(directions(rule, [2, 2], [[3, 0, 0, -4]]), [[1, 0, 0, -1]])
  })

  test('averages: beta2 = 1/2, bias-corrected, g = 2, then 6', () => {
    // C = 2, 19; C' = 4, 19 / (3/4).
    expectClose(directions(bare({ beta2: 0.5 }), [1], [[2], [6]]), [[1], [6 / Math.sqrt(19 / 0.75)]])
    const uncorrected = bare({ beta2: 0.5, biasCorrection: false })
    expectClose(directions(uncorrected, [1], [[2], [6]]), [[2 / Math.sqrt(2)], [6 / Math.sqrt(19)]])
  })

  test('momentum 1/2 after preconditioning, plain and with Nesterov', () => {
    // Without roots the gradient is the direction: 4, then 6. b = 4, 8; with Nesterov 4 + 2, 6 + 4.
    const late = { start: 9 }
    expectClose(directions(bare({ momentum: 0.5, refresh: late }), [1], [[4], [6]]), [[4], [8]])
    expectClose(directions(bare({ momentum: 0.5, nesterov: true, refresh: late }), [1], [[4], [6]]), [[6], [10]])
  })

  test('beta3 weights the gradient that is preconditioned: (m / 4 + 3 g / 4) / (1 - prod / 4)', () => {
    // Before the start step the averaged gradient itself comes out. beta1 = 1/2: m = 0, 4; g = 8, 16.
    const rule = bare({ beta1: 0.5, beta3: 0.25, refresh: { start: 9 } })
    expectClose(directions(rule, [1], [[8], [16]]), [[6 / 0.75], [(1 + 12) / (1 - 0.25 * 0.5)]])
  })
})

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
