// Rules whose steps depend on values, norms, distances or the loss: two-step cases worked out by hand.
import { describe, expect, test } from 'vitest'
import {
  adafactor,
  adagradNorm,
  dog,
  lamb,
  lars,
  ldog,
  nagGs,
  optAmsgrad,
  randomScaledSgdm,
  smb,
  swats,
} from '../../../lib/optim/index.js'
import { exponential } from '../../../lib/optim/random.js'
import { expectRefused } from '../../refusal.js'
import { directions, expectClose } from './directions.js'
import { trajectory } from './trajectory.js'

test('adagradNorm: 3 and 4 make 5, with 0 and 12 they make 13', () => {
  const { values } = trajectory(
    adagradNorm(),
    1,
    [[0], [0]],
    [
      [[3], [4]],
      [[0], [12]],
    ],
  )
  expectClose(values, [
    [-0.6, -0.8],
    [-0.6, -0.8 - 12 / 13],
  ])
})

test('what a group shares goes on with whoever has a gradient', () => {
  // b = 3, 5, 13.
  const { values } = trajectory(
    adagradNorm(),
    1,
    [[0], [0]],
    [
      [[3], null],
      [null, [4]],
      [[12], null],
    ],
  )
  expectClose(values, [
    [-1, 0],
    [-1, -0.8],
    [-1 - 12 / 13, -0.8],
  ])
})

describe('lars', () => {
  test('the first step has trust times the norm of the parameter, then momentum goes on alone', () => {
    const rule = lars({ trust: 0.1, momentum: 0.5 })
    const { values } = trajectory(rule, 1, [[3, 4]], [[[0, 10]], [[0, 0]]])
    expectClose(values, [
      [3, 3.5],
      [3, 3.25],
    ])
  })

  test('weight decay takes part in the rate: 0.1 5 / (10 + 5 / 2)', () => {
    const rule = lars({ trust: 0.1, momentum: 0, weightDecay: 0.5 })
    expectClose(trajectory(rule, 1, [[3, 4]], [[[0, 10]]]).values, [[3 - 0.04 * 1.5, 4 - 0.04 * 12]])
  })

  test('a parameter of zeros moves by the gradient', () => {
    expectClose(trajectory(lars(), 1, [[0, 0]], [[[1, 2]]]).values, [[-1, -2]])
  })
})

describe('lamb', () => {
  const signs = { beta1: 0, beta2: 0, epsilon: 1e-12 }

  test('a direction of signs gets the norm of the parameter', () => {
    const step = 5 / Math.SQRT2
    expectClose(trajectory(lamb(signs), 0.1, [[3, 4]], [[[5, -2]]]).values, [[3 - 0.1 * step, 4 + 0.1 * step]])
  })

  test('weight decay is part of the direction, clip of the norm', () => {
    // r = (1 + 3/2, -1 + 2)
    const step = 2 / Math.sqrt(7.25)
    const rule = lamb({ ...signs, weightDecay: 0.5, clip: [0, 2] })
    expectClose(trajectory(rule, 1, [[3, 4]], [[[5, -2]]]).values, [[3 - 2.5 * step, 4 - step]])
  })

  test('refuses a clip that is no interval', () => {
    expectRefused(() => lamb({ clip: [2, 1] }), 'ERR_OPTION', 'lamb: clip[1] must be a finite number > 2, got 1')
    expectRefused(() => lamb({ clip: 3 as never }), 'ERR_OPTION', 'lamb: clip must be a pair of numbers')
  })
})

test('nagGs with mu = gamma = alpha = 1: v = 0, then -1/2', () => {
  expectClose(trajectory(nagGs({ gamma: 1 }), 1, [[2]], [[[4]], [[2]]]).values, [[1], [0.25]])
})

describe('dog', () => {
  const gradients = [
    [[3], [4]],
    [[0], [12]],
  ]

  test('the group: r = 1 at the start and after the first step, and the mean of the values', () => {
    const rule = dog({ initial: 1, epsilon: 1e-12, averaging: 0 })
    const { values, evaluation } = trajectory(rule, 1, [[0], [0]], gradients)
    const last = -0.8 - 12 / 13
    expectClose(values, [
      [-0.6, -0.8],
      [-0.6, last],
    ])
    expectClose([evaluation], [[-0.6, (-0.8 + last) / 2]])
  })

  test('the average of degree 8 weights the second value by 9 / 10', () => {
    const { values, evaluation } = trajectory(dog({ initial: 1 }), 1, [[1], [2]], gradients)
    expectClose([evaluation], [values[1]!.map((w, i) => 0.9 * w + 0.1 * values[0]![i]!)])
  })

  test('ldog: each parameter for itself', () => {
    const rule = ldog({ initial: 1, epsilon: 1e-12 })
    expectClose(trajectory(rule, 1, [[0], [1]], gradients).values, [
      [-1, -1],
      [-1, -1 - (2 * 12) / Math.sqrt(160)],
    ])
  })
})

test('swats: signs of a constant gradient need SGD at 1/4, from the third step on', () => {
  const rule = swats({ beta1: 0, beta2: 0, epsilon: 1e-12 })
  expectClose(directions(rule, [1], [[4], [4], [8]]), [[1], [1], [2]])
})

describe('smb on w^2 / 2', () => {
  const parabola = {
    loss: ([w]: readonly Float32Array[]) => w![0]! ** 2 / 2,
    gradient: ([w]: readonly Float32Array[]) => [Float32Array.from(w!)],
  }

  test('a trial that decreases the loss enough stands', () => {
    expectClose(trajectory(smb(parabola), 0.5, [[2]], [[[2]]]).values, [[1]])
  })

  test('one that does not makes a model: 2 -> 4/3', () => {
    // s = -4, y = -4, delta = 8, theta = 768: the step is -2 - 4 (-1/6) - 4 (-1/6).
    expectClose(trajectory(smb({ ...parabola, eta: 0.5 }), 2, [[2]], [[[2]]]).values, [[4 / 3]])
  })

  test('refuses to be without callbacks, and what they must not answer', () => {
    expectRefused(() => smb({ loss: parabola.loss } as never), 'ERR_OPTION', 'smb: gradient must be a function')
    expectRefused(() => smb({ gradient: parabola.gradient } as never), 'ERR_OPTION', 'smb: loss must be a function')
    const rule = smb({ ...parabola, gradient: () => [] })
    expectRefused(() => trajectory(rule, 2, [[2]], [[[2]]]), 'ERR_SHAPE', 'smb: gradient must return 1 Float32Arrays')
  })
})

describe('optAmsgrad without averages', () => {
  test('runs ahead by what it expects, and takes it back', () => {
    // p = 0, 2, 2: v = 4 always. The base moves by 1/2, 1, 1; what is ahead by 1/2, 1/2, 1.
    const rule = optAmsgrad({ beta1: 0, beta2: 0, epsilon: 1e-12, history: 2 })
    expectClose(trajectory(rule, 0.5, [[0]], [[[2]], [[4]], [[4]]]).values, [[-1], [-2], [-3.5]])
  })
})

describe('randomScaledSgdm', () => {
  const factors = (seed: number) => {
    const steps = Array.from({ length: 4000 }, () => [2])
    return directions(randomScaledSgdm({ momentum: 0, seed }), [1], steps).map(([d]) => d! / 2)
  }

  test('factors have the mean, the variance and the quantiles of Exp(1)', () => {
    const s = factors(7)
    const mean = s.reduce((sum, x) => sum + x, 0) / s.length
    const variance = s.reduce((sum, x) => sum + (x - mean) ** 2, 0) / s.length
    // Four standard errors: 1 / sqrt(n) of the mean, sqrt(8 / n) of the variance, below 1 / (2 sqrt(n)) of a quantile.
    expect(Math.abs(mean - 1)).toBeLessThan(4 / Math.sqrt(s.length))
    expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(8 / s.length))
    for (const quantile of [0.1, 0.5, 1, 3]) {
      const share = s.filter((x) => x > quantile).length / s.length
      expect(Math.abs(share - Math.exp(-quantile))).toBeLessThan(2 / Math.sqrt(s.length))
    }
  })

  test('are a function of the seed and the step, and differ from step to step', () => {
    expect(factors(1)).toEqual(factors(1))
    expect(factors(1)).not.toEqual(factors(2))
    expect(new Set(factors(1)).size).toBeGreaterThan(3900)
    expect(factors(5)[2]!).toBeCloseTo(exponential(5, 3), 6)
  })

  test('momentum 1/2: averages 2 and 4, scaled', () => {
    const rule = randomScaledSgdm({ momentum: 0.5 })
    expectClose(directions(rule, [1], [[4], [6]]), [[2 * exponential(0, 1)], [4 * exponential(0, 2)]])
  })
})

describe('adafactor', () => {
  const plain = { relativeStep: false, scaleByParameter: false } as const

  test('squares of rank one are factored without loss: the direction is the sign', () => {
    const gradient = [1, -2, 2, -4]
    const signs = [1, -1, 1, -1]
    expectClose(directions(adafactor(plain), [2, 2], [gradient, gradient]), [signs, signs])
  })

  test('a tensor has means for each of its matrices', () => {
    const rule = adafactor({ ...plain, clip: 'none' })
    // Rows 1/2 and 0, columns 1/2 and 0, mean 1/4: 1 / sqrt(1). Twice, at different scales.
    expectClose(directions(rule, [2, 2, 2], [[1, 0, 0, 0, 0, 0, 0, 5]]), [[1, 0, 0, 0, 0, 0, 0, 1]])
  })

  test('a diagonal is not of rank one: rows and columns are 1/2, and so is all of the second moment', () => {
    expectClose(directions(adafactor({ ...plain, clip: 'none' }), [2, 2], [[1, 0, 0, 1]]), [
      [Math.SQRT2, 0, 0, Math.SQRT2],
    ])
  })

  test('a vector: 3, then 4 with decay 1 - 2^-0.8; clipped to a root mean square of 1/2', () => {
    const beta2 = 1 - 2 ** -0.8
    const second = 4 / Math.sqrt(beta2 * 9 + (1 - beta2) * 16)
    expectClose(directions(adafactor({ ...plain, clip: 'none' }), [1], [[3], [4]]), [[1], [second]])
    expectClose(directions(adafactor({ ...plain, clip: 0.5 }), [1], [[3], [4]]), [[0.5], [0.5]])
  })

  test('steps are relative to the parameter and at most 1e-2; momentum 1/2 halves the first', () => {
    const step = 0.01 * Math.sqrt(12.5)
    expectClose(trajectory(adafactor(), 1, [[3, 4]], [[[1, -1]]]).values, [[3 - step, 4 + step]])
    expectClose(trajectory(adafactor(), 1, [[0, 0]], [[[1, -1]]]).values, [[-1e-5, 1e-5]], 1e-9)
    const halved = trajectory(adafactor({ beta1: 0.5 }), 1, [[3, 4]], [[[1, -1]]])
    expectClose(halved.values, [[3 - step / 2, 4 + step / 2]])
  })
})
