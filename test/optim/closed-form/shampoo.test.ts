import { describe, test } from 'vitest'
import { shampoo } from '../../../lib/optim/index.js'
import { directions, expectClose } from './directions.js'

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
