import { describe, test } from 'vitest'
import { adagrad, adamw, rmsprop, sgd } from '../../../lib/optim/index.js'
import { directions, expectClose } from './directions.js'

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
