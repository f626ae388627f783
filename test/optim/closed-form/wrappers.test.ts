// Two-step cases of the wrappers worked out by hand, and the identities that make a wrapper the rule it is put around.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Device, open } from '../../../lib/device.js'
import {
  accumulate,
  adamw,
  entropySgd,
  type Gradients,
  lookahead,
  mars,
  Optimizer,
  primalAveraging,
  type Rule,
  sam,
  scheduleFree,
  sgd,
  vrgd,
  xgrad,
} from '../../../lib/optim/index.js'
import { asArrays, quadraticOracle, type Values } from '../oracle.js'
import { gradientSequence, normal, normalArray } from '../random.js'

let device: Device
beforeAll(() => {
  device = open('cpu')
})
afterAll(() => {
  expect(device.memory()).toEqual({ bytes: 0, tensors: 0 })
  device.dispose()
})

const SHAPES = [[6, 4], [5], []]
const size = (shape: readonly number[]) => shape.reduce((product, dimension) => product * dimension, 1)

interface Options {
  readonly lr?: number
  readonly weightDecay?: number
  readonly start?: readonly (readonly number[])[]
}

/** Values and evaluation after each step; gradients given, or asked for at the values. */
function trajectory(
  rule: Rule,
  gradients: readonly Gradients[] | ((values: Values, step: number) => Gradients),
  steps: number,
  { lr = 0.1, weightDecay = 0, start }: Options = {},
) {
  const next = normal(3)
  const params = (start ?? SHAPES).map((shape, index) => ({
    name: `p${index}`,
    shape: start === undefined ? shape : [shape.length],
    value: start === undefined ? normalArray(size(shape), next) : Float32Array.from(shape),
  }))
  const optimizer = new Optimizer(device, [{ params, rule, lr, weightDecay }])
  const values: Float32Array[][] = []
  const evaluated: (readonly Float32Array[])[] = []
  for (let step = 0; step < steps; step++) {
    const now = params.map(({ value }) => value)
    optimizer.step(typeof gradients === 'function' ? gradients(now, step + 1) : gradients[step]!)
    values.push(now.map((value) => value.slice()))
    evaluated.push(optimizer.evaluation())
  }
  optimizer.dispose()
  return { values, evaluated }
}

/** One parameter that starts at `start`, with the gradients given. */
function scalars(rule: Rule, start: number, gradients: readonly number[], options: Options = {}) {
  const lists = gradients.map((gradient) => [Float32Array.of(gradient)])
  const { values, evaluated } = trajectory(rule, lists, gradients.length, { ...options, start: [[start]] })
  return { values: values.map(([value]) => value![0]!), evaluated: evaluated.map(([value]) => value![0]!) }
}

function expectNumbers(actual: readonly number[], expected: readonly number[], tolerance = 1e-6): void {
  expect(actual.length).toBe(expected.length)
  actual.forEach((value, index) => {
    expect(Math.abs(value - expected[index]!), `${actual} against ${expected}`).toBeLessThan(tolerance)
  })
}

describe('lookahead', () => {
  test('two steps forward, half way back', () => {
    // W: 8 - 2 = 6, then 6 - 2 = 4, back to 8 + (4 - 8) / 2 = 6; again 4, then 2, back to 6 + (2 - 6) / 2 = 4.
    const { values, evaluated } = scalars(lookahead(sgd(), { every: 2 }), 8, [2, 2, 2, 2], { lr: 1 })
    expectNumbers(values, [6, 6, 4, 4])
    expectNumbers(evaluated, [8, 6, 6, 4])
  })

  test('the decay of the weights is part of the way', () => {
    // W: 8 - 2 - 0.5 8 = 2, then 2 - 2 - 1 = -1, back to (8 - 1) / 2.
    const { values } = scalars(lookahead(sgd(), { every: 2 }), 8, [2, 2], { lr: 1, weightDecay: 0.5 })
    expectNumbers(values, [2, 3.5])
  })

  test('with alpha 1 it is the rule, to the bit', () => {
    const gradients = gradientSequence(SHAPES, 12)
    const rule = () => adamw()
    const options = { weightDecay: 0.1 }
    expect(trajectory(lookahead(rule(), { alpha: 1, every: 3 }), gradients, 12, options).values).toEqual(
      trajectory(rule(), gradients, 12, options).values,
    )
  })
})

describe('schedule-free and primal averaging', () => {
  test('at a constant rate, Schedule-Free SGD evaluates the Polyak average of z', () => {
    const oracle = quadraticOracle((_, index) => index)
    const training = 0.7
    const z = [1, -2, 0.5, 3]
    const averaged: number[][] = []
    let x = z
    let base = z
    const lr = 0.2
    for (let step = 1; step <= 9; step++) {
      const y = base.map((value, i) => (1 - training) * value + training * x[i]!)
      const [gradient] = oracle.gradient([y])
      base = base.map((value, i) => value - lr * gradient![i]!)
      const now = base
      x = step === 1 ? now : x.map((value, i) => value + (now[i]! - value) / step)
      averaged.push(x)
    }
    const rule = scheduleFree(sgd(), { training })
    const { evaluated } = trajectory(rule, (values) => asArrays(oracle.gradient(values)), 9, { lr, start: [z] })
    evaluated.forEach(([value], step) => {
      expectNumbers([...value!], averaged[step]!, 1e-5)
    })
  })

  test('Schedule-Free at beta 0 moves as the rule does and evaluates the mean of the iterates', () => {
    const gradients = [3, 1, 4]
    const plain = scalars(sgd(), 2, gradients).values
    const { values, evaluated } = scalars(scheduleFree(sgd(), { training: 0 }), 2, gradients)
    expect(values).toEqual(plain)
    expectNumbers(evaluated, [plain[0]!, (plain[0]! + plain[1]!) / 2, (plain[0]! + plain[1]! + plain[2]!) / 3])
  })

  test('the average weighs steps by the square of the learning rate', () => {
    // z: 10 - 1 = 9, then 9 - 2 = 7; x = (1 9 + 4 7) / 5, y = 0.5 (z + x).
    const params = [{ name: 'w', shape: [], value: Float32Array.of(10) }]
    const rule = scheduleFree(sgd(), { training: 0.5 })
    const optimizer = new Optimizer(device, [{ params, rule, lr: (step) => step }])
    optimizer.step([Float32Array.of(1)])
    expectNumbers([...params[0]!.value], [9])
    optimizer.step([Float32Array.of(1)])
    expectNumbers([...optimizer.evaluation()[0]!], [7.4])
    expectNumbers([...params[0]!.value], [7.2], 2e-6)
    optimizer.dispose()
  })

  test('primal averaging, two steps', () => {
    // z = x = y = 4; z = 3, x = 0.5 4 + 0.5 3 = 3.5, y = 0.25 3.5 + 0.75 3; z = 2, x = 2.75, y = 0.25 2.75 + 0.75 2.
    const rule = primalAveraging(sgd(), { evaluation: 0.5, training: 0.25 })
    const { values, evaluated } = scalars(rule, 4, [1, 1], { lr: 1 })
    expectNumbers(values, [3.125, 2.1875])
    expectNumbers(evaluated, [3.5, 2.75])
  })

  test('the decay enters the base iterate', () => {
    // z = 4 - 1 - 0.5 4 = 1, x = 2.5, y = 0.25 2.5 + 0.75.
    const rule = primalAveraging(sgd(), { evaluation: 0.5, training: 0.25 })
    const { values, evaluated } = scalars(rule, 4, [1], { lr: 1, weightDecay: 0.5 })
    expectNumbers(values, [1.375])
    expectNumbers(evaluated, [2.5])
  })

  test('primal averaging of the newest iterate alone is the rule', () => {
    const gradients = gradientSequence(SHAPES, 6)
    const rule = primalAveraging(adamw(), { evaluation: 0 })
    expect(trajectory(rule, gradients, 6).values).toEqual(trajectory(adamw(), gradients, 6).values)
  })
})

describe('xgrad', () => {
  test('parameters hold the prediction, evaluation the true weights', () => {
    // V = 10 - 1 = 9, W = 9 - 1 = 8; V = 9 - 2 = 7, W = 7 - 2 = 5.
    const { values, evaluated } = scalars(xgrad(sgd()), 10, [1, 2], { lr: 1 })
    expectNumbers(values, [8, 5])
    expectNumbers(evaluated, [9, 7])
  })

  test('0 ahead it is the rule, to the bit', () => {
    const gradients = gradientSequence(SHAPES, 6)
    expect(trajectory(xgrad(adamw(), { ahead: 0 }), gradients, 6).values).toEqual(
      trajectory(adamw(), gradients, 6).values,
    )
  })
})

describe('mars', () => {
  test('approximate: g + (g - previous g) at gamma beta1 / (1 - beta1) = 1', () => {
    const rule = mars(sgd(), { gamma: 1, beta1: 0.5, clip: 'none' })
    expectNumbers(scalars(rule, 0, [3, 5], { lr: 1 }).values, [-3, -3 - (2 * 5 - 3)])
  })

  test('exact: the difference is that of one batch at two places', () => {
    // f = b W^2 / 2 with b the batch: W = 4 - 0.5 (1 4) = 2; then g = 3 2, g' = 3 4, c = 2 6 - 12 = 0.
    let batch = 1
    const gradientAt = (values: Values) => values.map((value) => Float32Array.from(value, (w) => batch * w))
    const rule = mars(sgd(), { gamma: 1, beta1: 0.5, clip: 'none', gradientAt })
    const { values } = trajectory(
      rule,
      (now, step) => {
        batch = step === 1 ? 1 : 3
        return gradientAt(now)
      },
      2,
      { lr: 0.5, start: [[4]] },
    )
    expectNumbers(
      values.map(([value]) => value![0]!),
      [2, 2],
    )
  })

  test('corrected gradients are clipped, parameter by parameter', () => {
    const { values } = trajectory(mars(sgd()), [[Float32Array.of(3, 4), Float32Array.of(0.5)]], 1, {
      lr: 1,
      start: [[0, 0], [0]],
    })
    expectNumbers([...values[0]![0]!, ...values[0]![1]!], [-0.6, -0.8, -0.5])
  })

  test('with gamma 0 and no clip it is the rule, to the bit', () => {
    const gradients = gradientSequence(SHAPES, 6)
    const rule = mars(adamw(), { gamma: 0, clip: 'none' })
    expect(trajectory(rule, gradients, 6).values).toEqual(trajectory(adamw(), gradients, 6).values)
  })
})

describe('sam', () => {
  const oracle = quadraticOracle((parameter, index) => parameter - index)
  const gradientAt = (values: Values) => asArrays(oracle.gradient(values))

  test('the gradient at W + rho g / |g|', () => {
    // f = |W|^2 / 2 at (3, 4): g = W, W + 0.5 (0.6, 0.8) is the new gradient.
    const rule = sam(sgd(), { gradientAt: (values) => values, rho: 0.5 })
    const { values } = trajectory(rule, (now) => now as Gradients, 1, { lr: 1, start: [[3, 4]] })
    expectNumbers([...values[0]![0]!], [-0.3, -0.4])
  })

  test('the norm is that of the group, or of each parameter', () => {
    const step = (scope: 'group' | 'parameter') =>
      trajectory(sam(sgd(), { gradientAt: (values) => values, rho: 1, scope }), (now) => now as Gradients, 1, {
        lr: 1,
        start: [[3], [4]],
      }).values[0]!.map((value) => value[0]!)
    expectNumbers(step('group'), [-0.6, -0.8])
    expectNumbers(step('parameter'), [-1, -1])
  })

  test('with rho 0 it is the rule, to the bit, and asks for nothing', () => {
    const never = () => {
      throw new Error('asked')
    }
    const rule = sam(adamw(), { gradientAt: never, rho: 0 })
    const gradients = gradientSequence(SHAPES, 6)
    expect(trajectory(rule, gradients, 6).values).toEqual(trajectory(adamw(), gradients, 6).values)
  })

  test('arrays of the callback are copied, and what is no answer is refused', () => {
    const buffers = [new Float32Array(2), new Float32Array(1)]
    const reusing = (values: Values) => {
      oracle.gradient(values).forEach((gradient, index) => {
        buffers[index]!.set(gradient)
      })
      return buffers
    }
    const start = [[1, 2], [3]]
    const options = { start, lr: 0.1 }
    expect(trajectory(sam(sgd(), { gradientAt: reusing }), gradientAt, 4, options).values).toEqual(
      trajectory(sam(sgd(), { gradientAt }), gradientAt, 4, options).values,
    )
    expect(() => trajectory(sam(sgd(), { gradientAt: () => [] }), gradientAt, 1, options)).toThrow(
      expect.objectContaining({ code: 'ERR_SHAPE', message: expect.stringContaining('sam: gradientAt must return') }),
    )
  })
})

describe('entropySgd', () => {
  test('two Langevin steps without noise', () => {
    // f = W^2 / 2 at 8, eta' = 0.5: x = 4, mu = 6; x = 4 - 0.5 (4 + 0.5 (4 - 8)) = 3, mu = 4.5; gradient 0.5 (8 - 4.5).
    const gradientAt = (values: Values) => asArrays(values)
    const rule = entropySgd(sgd(), { gradientAt, steps: 2, innerLr: 0.5, gamma: 0.5, alpha: 0.5, noise: 0 })
    const { values } = trajectory(rule, (now) => asArrays(now), 1, { lr: 1, start: [[8]] })
    expectNumbers([...values[0]![0]!], [6.25])
  })

  test('one step without noise is the rule with the gradient times gamma alpha eta', () => {
    const gradients = gradientSequence(SHAPES, 5)
    const gradientAt = () => []
    const rule = entropySgd(sgd(), { gradientAt, steps: 1, innerLr: 0.25, gamma: 2, alpha: 0.5, noise: 0 })
    const scaled = trajectory(rule, gradients, 5, { lr: 0.4 }).values.flat()
    trajectory(sgd(), gradients, 5, { lr: 0.1 })
      .values.flat()
      .forEach((value, index) => {
        expectNumbers([...scaled[index]!], [...value], 1e-5)
      })
  })

  test('noise has mean 0 and variance 1, depends on the seed and not on the group', () => {
    const gradientAt = () => []
    const walk = (seed: number, count: number) => {
      const rule = entropySgd(sgd(), { gradientAt, steps: 1, innerLr: 1, gamma: 1, alpha: 1, noise: 1, seed })
      const start = Array.from({ length: count }, () => new Array<number>(4096).fill(0))
      const tiny = start.map((list) => Float32Array.from(list, () => 1e-30))
      // D = W - x = g - n
      return trajectory(rule, [tiny, tiny], 2, { lr: 1, start }).values.map((list) => list.map((value) => [...value]))
    }
    const noise = walk(1, 1)[0]![0]!
    const mean = noise.reduce((sum, value) => sum + value, 0) / 4096
    const square = noise.reduce((sum, value) => sum + value ** 2, 0) / 4096
    expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(4096))
    expect(Math.abs(square - 1)).toBeLessThan(4 * Math.sqrt(2 / 4096))
    expect(walk(1, 2)[0]![0]).toEqual(noise)
    expect(walk(1, 2)[0]![1]).not.toEqual(noise)
    expect(walk(2, 1)[0]![0]).not.toEqual(noise)
    const second = walk(1, 1)[1]![0]!.map((value, i) => value - noise[i]!)
    expect(Math.abs(second.reduce((sum, value, i) => sum + value * noise[i]!, 0) / 4096)).toBeLessThan(0.1)
  })
})

describe('vrgd', () => {
  // Workers 1, 3 and -1, 5 and 0, 4: means 2, variances 1, 9 and 4.
  const workers = [[Float32Array.of(1, -1, 0)], [Float32Array.of(3, 5, 4)]]
  const gradients = [[Float32Array.of(2, 2, 2)]]

  test('elements scale by their signal-to-noise ratio over the mean one', () => {
    // r = 4, 4/9, 1 with mean 49/27: 108/49 -> 1, 12/49, 27/49.
    const { values } = trajectory(vrgd(sgd(), { workerGradients: () => workers }), gradients, 1, {
      lr: 1,
      start: [[0, 0, 0]],
    })
    expectNumbers([...values[0]![0]!], [-2, -24 / 49, -54 / 49])
  })

  test('variances may be handed in; gamma is the floor', () => {
    const variance = () => [Float32Array.of(1, 9, 4)]
    const { values } = trajectory(vrgd(sgd(), { variance, gamma: 0.5 }), gradients, 1, { lr: 1, start: [[0, 0, 0]] })
    expectNumbers([...values[0]![0]!], [-2, -1, -54 / 49])
  })

  test('epsilon is the least variance', () => {
    // r = 4, 4, 4/9 with mean 76/27.
    const variance = () => [Float32Array.of(0, 1, 9)]
    const rule = vrgd(sgd(), { variance, epsilon: 1 })
    const { values } = trajectory(rule, gradients, 1, { lr: 1, start: [[0, 0, 0]] })
    expectNumbers([...values[0]![0]!], [-2, -2, -24 / 76])
  })

  test('with gamma 1, and with equal ratios, it is the rule', () => {
    const sequence = gradientSequence(SHAPES, 4)
    const plain = trajectory(adamw(), sequence, 4).values
    expect(trajectory(vrgd(adamw(), { variance: () => [], gamma: 1 }), sequence, 4).values).toEqual(plain)
    let step = 0
    const variance = () => sequence[step++]!.map((gradient) => gradient.map((g) => g ** 2))
    const equal = trajectory(vrgd(adamw(), { variance }), sequence, 4).values.flat()
    plain.flat().forEach((value, index) => {
      expectNumbers([...equal[index]!], [...value], 1e-5)
    })
  })

  test('exactly one of the callbacks', () => {
    const variance = () => []
    expect(() => vrgd(sgd(), {})).toThrow('vrgd: variance must be a function')
    expect(() => vrgd(sgd(), { variance, workerGradients: () => [] })).toThrow('vrgd: variance must be')
    expect(() =>
      trajectory(vrgd(sgd(), { workerGradients: () => [[]] }), gradients, 1, { start: [[0, 0, 0]] }),
    ).toThrow('at least two workers')
  })
})

describe('accumulate', () => {
  test('k equal gradients are one step', () => {
    const gradients = gradientSequence(SHAPES, 3)
    const options = { weightDecay: 0.1 }
    const repeated = gradients.flatMap((list) => [list, list, list, list])
    const { values } = trajectory(accumulate(adamw(), { every: 4 }), repeated, 12, options)
    const plain = trajectory(adamw(), gradients, 3, options).values
    expect([values[3], values[7], values[11]]).toEqual(plain)
    expect(values[2]).toEqual(values[0])
    expect(values[6]).toEqual(values[3])
  })

  test('the mean of the micro-batches, and only that, reaches the rule', () => {
    const seen: number[] = []
    const steps: number[] = []
    const spy: Rule = {
      ...(sgd() as Rule),
      update: (gradients, _, { step }) => {
        seen.push((gradients[0] as Float32Array)[0]!)
        steps.push(step)
        return gradients
      },
    }
    expectNumbers(scalars(accumulate(spy, { every: 2 }), 0, [1, 3, 5, 9], { lr: 1 }).values, [0, -2, -2, -9])
    expect(seen).toEqual([2, 7])
    expect(steps).toEqual([1, 2])
  })

  test('micro-batches without a gradient do not count in the mean', () => {
    const lists = [[Float32Array.of(3)], [null], [Float32Array.of(5)]]
    const { values } = trajectory(accumulate(sgd(), { every: 3 }), lists, 3, { lr: 1, start: [[0]] })
    expectNumbers([values[2]![0]![0]!], [-4])
  })
})

test('no rule, or options that are not there, are refused by name', () => {
  expect(() => lookahead({} as Rule)).toThrow('lookahead: rule must be a rule such as adamw()')
  expect(() => xgrad(sgd(), { steps: 1 } as never)).toThrow("xgrad: there is no option 'steps'")
  expect(() => sam(sgd(), {} as never)).toThrow('sam: gradientAt must be a function')
  expect(() => accumulate(sgd(), { every: 0 })).toThrow('accumulate: every must be an integer >= 1, got 0')
})
