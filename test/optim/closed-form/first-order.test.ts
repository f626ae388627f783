import { describe, expect, test } from 'vitest'
import { extrapolationWeights } from '../../../lib/optim/first-order/extrapolation.js'
import {
  adagrad,
  adam,
  adamax,
  adamw,
  ademamix,
  amsgrad,
  diffgrad,
  lion,
  nadam,
  rmsprop,
  sgd,
  signsgd,
} from '../../../lib/optim/index.js'
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

describe("Adam's relatives", () => {
  test('adam is adamw: they differ in the weight decay of the group', () => {
    const gradients = [[4], [8]]
    const options = { beta1: 0.5, beta2: 0.75 }
    expect(directions(adam(options), [1], gradients)).toEqual(directions(adamw(options), [1], gradients))
  })

  test('nadam with mu = 1/4 throughout: g = 4, 0', () => {
    // m = 2, 1; v' = 16, 48/7. 1/4 2 / (15/16) + 3/4 4 / (3/4); then 1/4 / (63/64).
    const rule = nadam({ beta1: 0.5, beta2: 0.75, momentumDecay: 0 })
    expectClose(directions(rule, [1], [[4], [0]]), [[(8 / 15 + 4) / 4], [16 / 63 / Math.sqrt(48 / 7)]])
  })

  test('adamax: 4, then -1, which the decayed 4 outweighs', () => {
    expectClose(directions(adamax({ beta1: 0.5, beta2: 0.5 }), [1], [[4], [-1]]), [[1], [1 / 3]])
  })

  test('amsgrad keeps the largest second moment, before its correction', () => {
    // v = 8, 4.5; u = 8, 8.
    const published = amsgrad({ beta1: 0, beta2: 0.5, biasCorrection: false })
    expectClose(directions(published, [1], [[4], [1]]), [[Math.SQRT2], [1 / Math.sqrt(8)]])
    const corrected = amsgrad({ beta1: 0, beta2: 0.5 })
    expectClose(directions(corrected, [1], [[4], [1]]), [[1], [1 / Math.sqrt(32 / 3)]])
  })

  test('diffgrad: a gradient that stays halves the step', () => {
    expectClose(directions(diffgrad(), [1], [[4], [4]]), [[1 / (1 + Math.exp(-4))], [0.5]])
  })

  test('ademamix without fast averages: 4 + 2 2, then 1 + 2 3/2', () => {
    const rule = ademamix({ beta1: 0, beta2: 0, beta3: 0.5, alpha: 2 })
    expectClose(directions(rule, [1], [[4], [1]]), [[2], [4]])
  })

  test('ademamix at half of its warm-up: half of alpha, the half-life midway', () => {
    // Half-lives 1 and 2 steps: 3/2 in the first of two steps.
    const [start, end] = [0.5, Math.SQRT1_2]
    const rule = ademamix({ beta1: start, beta2: 0, beta3: end, alpha: 2, warmup: 2 })
    const slow = 1 - 0.5 ** (2 / 3)
    expectClose(directions(rule, [1], [[4], [4]]), [[1 + slow], [1 + 2 * (end * slow + 1 - end)]])
  })
})

describe('signs', () => {
  test('lion looks at the mixture of momentum and gradient, then moves the momentum', () => {
    // m = 1/4, 0.1375: 1/2, then 1/8 - 1/10, then 0.06875 - 1/10.
    const rule = lion({ beta1: 0.5, beta2: 0.75 })
    expectClose(directions(rule, [1], [[1], [-0.2], [-0.2]]), [[1], [1], [-1]])
  })

  test('signsgd, and Signum, which takes the sign of the average', () => {
    expectClose(directions(signsgd(), [3], [[3, -2, 0]]), [[1, -1, 0]])
    // m = 2, 1/2, -3/4
    expectClose(directions(signsgd({ momentum: 0.5 }), [1], [[4], [-1], [-2]]), [[1], [1], [-1]])
  })
})

test('extrapolation finds the limit of x -> x / 2 + 1 from 0, 1, 3/2', () => {
  const sequence = [0, 1, 1.5]
  const weights = extrapolationWeights(2, (i, j) => sequence[i]! * sequence[j]!, 1e-9)
  expectClose([weights], [[-1, 2]])
  expect(weights.reduce((sum, weight, i) => sum + weight * sequence[i]!, 0)).toBeCloseTo(2, 6)
  expect(extrapolationWeights(3, () => 1, 1e-3)).toEqual([1 / 3, 1 / 3, 1 / 3])
})
