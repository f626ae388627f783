// Two-step cases by hand, and what the literature promises of each method.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Device, open } from '../../../lib/device.js'
import {
  adaHessian,
  bayesianNewton,
  egn,
  fullMatrixAdagrad,
  type Gradients,
  ggt,
  type HessianVector,
  lbfgs,
  newtonCg,
  Optimizer,
  oasis,
  PhaseClock,
  polyak,
  psgdKron,
  type Rule,
  saddleFreeNewton,
  singd,
  sophia,
} from '../../../lib/optim/index.js'
import { onHost } from '../../../lib/precondition/arrays.js'
import { expectClose } from './directions.js'

let device: Device
beforeAll(() => {
  device = open('cpu')
})
afterAll(() => {
  expect(device.memory()).toEqual({ bytes: 0, tensors: 0 })
  device.dispose()
})

interface Step {
  /** One list a parameter; null for no gradient. */
  readonly gradients: readonly (readonly number[] | null)[]
  readonly values: readonly (readonly number[])[]
}

/** Directions, step by step, all parameters in one list; null leaves nothing. */
function directionsOf(rule: Rule, steps: readonly Step[], lr = 1): number[][] {
  const shapes = steps[0]!.values.map(({ length }) => [length])
  const state = rule.init(
    shapes.map((shape, index) => ({ name: `p${index}`, shape })),
    device,
  )
  const clock = new PhaseClock()
  try {
    return steps.map(({ gradients, values }, index) => {
      const lists: Gradients = gradients.map((gradient) => gradient && Float32Array.from(gradient))
      const parameters = values.map((value) => Float32Array.from(value))
      const answer = rule.update(lists, state, { step: index + 1, lr, parameters, clock })
      return answer.flatMap((direction) => (direction ? Array.from(onHost(direction)) : []))
    })
  } finally {
    rule.dispose(state)
  }
}

/** H x of a symmetric matrix, over one parameter. */
const matrixVector =
  (h: readonly (readonly number[])[]): HessianVector =>
  ([x]) => [Float32Array.from(h, (row) => row.reduce((sum, value, j) => sum + value * x![j]!, 0))]

/** Minimizes f(w) = (w - t)^T H (w - t) / 2 by `steps` steps and returns w - t. */
function minimized(rule: Rule, h: readonly (readonly number[])[], start: readonly number[], steps: number): number[] {
  const value = Float32Array.from(start)
  const optimizer = new Optimizer(device, [{ params: [{ name: 'w', shape: [start.length], value }], rule, lr: 1 }])
  for (let step = 0; step < steps; step++) optimizer.step([matrixVector(h)([value], [value])[0]!])
  optimizer.dispose()
  return Array.from(value)
}

/** Symmetric, eigenvalues 1 to 20. */
const QUADRATIC = [
  [6, 2, 1, 0],
  [2, 9, 3, 1],
  [1, 3, 14, 4],
  [0, 1, 4, 17],
]
const START = [1, -2, 3, -4]

describe('lbfgs', () => {
  test('one pair: the inverse Hessian is gamma I with two rank-one terms', () => {
    // s = (-1, 0), y = (-2, -1): s.y = 2, y.y = 5, gamma = 2/5, rho = 1/2. g = (1, 1): a = rho s.g = -1/2,
    // q = g + y/2 = (0, 1/2), gamma q = (0, 1/5), b = rho y.q = -1/10, D = q + (a - b) s = (0, 1/5) + (2/5, 0).
    const steps = [
      { gradients: [[3, 2]], values: [[1, 0]] },
      { gradients: [[1, 1]], values: [[0, 0]] },
    ]
    expectClose(directionsOf(lbfgs(), steps), [
      [3 / Math.sqrt(13), 2 / Math.sqrt(13)],
      [0.4, 0.2],
    ])
  })

  test('a pair of negative curvature does not enter; with damping it does', () => {
    const steps = [
      { gradients: [[1, 0]], values: [[0, 0]] },
      { gradients: [[2, 0]], values: [[-1, 0]] },
    ]
    // y = (1, 0), s = (-1, 0). Without a pair: g / |g|. With delta = 1/2: theta = (1/2) / (1 + 1) = 1/4,
    // y = (1/4 - 3/4, 0), s.y = 1/2, H = 2 along e1.
    expectClose(directionsOf(lbfgs(), steps).slice(1), [[1, 0]])
    expectClose(directionsOf(lbfgs({ damping: 0.5 }), steps).slice(1), [[4, 0]])
  })

  test('solves a quadratic of n variables in n exact line searches and one more', () => {
    const loss = (w: Float32Array) =>
      matrixVector(QUADRATIC)([w], [w])[0]!.reduce((sum, g, i) => sum + 0.5 * g * w[i]!, 0)
    const rule = lbfgs({
      lineSearch: { kind: 'wolfe', curvature: 1e-3 },
      lossAndGradientAt: ([w]) => ({ loss: loss(w!), gradient: matrixVector(QUADRATIC)([w!], [w!]) }),
    })
    const rest = minimized(rule, QUADRATIC, START, 5)
    expect(Math.hypot(...rest)).toBeLessThan(1e-3)
  })

  test('a step without one of the gradients leaves the history alone', () => {
    const whole = [
      { gradients: [[3], [2]], values: [[1], [0]] },
      { gradients: [[1], [1]], values: [[0], [0]] },
    ]
    const gap = [whole[0]!, { gradients: [[5], null], values: [[1], [0]] }, whole[1]!]
    const [, , last] = directionsOf(lbfgs(), gap)
    expectClose([last!], [[0.4, 0.2]])
  })

  test('the callback is checked before the state is touched', () => {
    const rule = lbfgs({
      lineSearch: { kind: 'armijo' },
      lossAndGradientAt: () => ({ loss: 'low' as unknown as number, gradient: [] }),
    })
    const state = rule.init([{ name: 'p0', shape: [1] }], device)
    const before = rule.slots(state).map((slot) => slot.read())
    const context = { step: 1, lr: 1, parameters: [Float32Array.of(1)], clock: new PhaseClock() }
    expect(() => rule.update([Float32Array.of(1)], state, context)).toThrow(/lossAndGradientAt must return a number/)
    expect(rule.slots(state).map((slot) => slot.read())).toEqual(before)
    rule.dispose(state)
  })
})

describe('newtonCg', () => {
  test('n iterations solve a system of order n', () => {
    const rest = minimized(
      newtonCg({ hessianVector: matrixVector(QUADRATIC), iterations: 4, tolerance: 0 }),
      QUADRATIC,
      START,
      1,
    )
    expect(Math.hypot(...rest)).toBeLessThan(1e-5)
  })

  test('negative curvature: the gradient at once, later what there is', () => {
    const step = { gradients: [[3, 1]], values: [[0, 0]] }
    const down = newtonCg({
      hessianVector: matrixVector([
        [-1, 0],
        [0, -2],
      ]),
    })
    expectClose(directionsOf(down, [step]), [[3, 1]])
    // p = g = (3, 1): curvature 9 * 2 - 1 = 17, z = (10 / 17) g; the next direction is one of negative curvature.
    const mixed = newtonCg({
      hessianVector: matrixVector([
        [2, 0],
        [0, -1],
      ]),
      tolerance: 0,
    })
    expectClose(directionsOf(mixed, [step]), [[30 / 17, 10 / 17]])
  })

  test('answers of the wrong length and numbers that are not finite are refused', () => {
    const step = { gradients: [[3, 1]], values: [[0, 0]] }
    const short = newtonCg({ hessianVector: () => [new Float32Array(1)] })
    expect(() => directionsOf(short, [step])).toThrow(expect.objectContaining({ code: 'ERR_SHAPE' }))
    const wild = newtonCg({ hessianVector: () => [Float32Array.of(1, Number.NaN)] })
    expect(() => directionsOf(wild, [step])).toThrow(expect.objectContaining({ code: 'ERR_NON_FINITE' }))
  })
})

describe('saddleFreeNewton', () => {
  test('divides by magnitudes of eigenvalues', () => {
    const rule = saddleFreeNewton({
      hessianVector: matrixVector([
        [2, 0],
        [0, -4],
      ]),
      damping: 1e-6,
    })
    expectClose(directionsOf(rule, [{ gradients: [[2, 2]], values: [[0, 0]] }]), [[1, 0.5]], 1e-5)
  })

  test('leaves the saddle of x^2 / 2 - y^2 / 2 to which Newton converges', () => {
    const h = [
      [1, 0],
      [0, -1],
    ]
    const away = minimized(saddleFreeNewton({ hessianVector: matrixVector(h), damping: 1e-3 }), h, [1, 1e-3], 8)
    expect(Math.abs(away[0]!)).toBeLessThan(1e-2)
    expect(Math.abs(away[1]!)).toBeGreaterThan(0.2)
  })
})

describe('egn', () => {
  const jacobian = [1, 2, 0, 1, -1, 3]
  const residual = [1, -2, 0.5]
  const gradient = [0, 0].map((_, j) => residual.reduce((sum, r, i) => sum + (jacobian[2 * i + j]! * r) / 3, 0))

  test('equals the damped normal equations, with and without the Hessian of the loss', () => {
    const lambda = 0.5
    const weights = [2, 0.5, 1]
    for (const q of [[1, 1, 1], weights]) {
      const a = [0, 1].map((i) =>
        [0, 1].map(
          (j) =>
            [0, 1, 2].reduce((sum, k) => sum + (q[k]! * jacobian[2 * k + i]! * jacobian[2 * k + j]!) / 3, 0) +
            (i === j ? lambda : 0),
        ),
      )
      const determinant = a[0]![0]! * a[1]![1]! - a[0]![1]! * a[1]![0]!
      const expected = [
        (a[1]![1]! * gradient[0]! - a[0]![1]! * gradient[1]!) / determinant,
        (a[0]![0]! * gradient[1]! - a[1]![0]! * gradient[0]!) / determinant,
      ]
      const rule = egn({
        damping: lambda,
        residualsAt: () => ({
          batch: 3,
          jacobian: [Float32Array.from(jacobian)],
          residual: Float32Array.from(residual),
          ...(q === weights ? { hessian: Float32Array.from(weights) } : {}),
        }),
      })
      expectClose(directionsOf(rule, [{ gradients: [gradient], values: [[0, 0]] }]), [expected])
    }
  })

  test('lambda falls where the model is right and rises where it is not', () => {
    // f = w^2 / 2 and its model agree; of f = |w|^4 the model of the residual w^2 does not.
    const lambdas = (loss: (w: number) => number, derivative: number) => {
      const rule = egn({
        damping: 1,
        adapt: { factor: 2 },
        lossAt: ([w]) => loss(w![0]!),
        residualsAt: ([w]) => ({ batch: 1, jacobian: [Float32Array.of(derivative)], residual: w! }),
      })
      const state = rule.init([{ name: 'p0', shape: [1] }], device)
      const context = { step: 1, lr: 1, parameters: [Float32Array.of(1)], clock: new PhaseClock() }
      rule.update([Float32Array.of(derivative)], state, context)
      const slot = rule.slots(state).find(({ keys }) => keys[0] === 'p0/damping')
      const [lambda] = slot!.read()[0]!
      rule.dispose(state)
      return lambda
    }
    expect(lambdas((w) => 0.5 * w * w, 1)).toBe(0.5)
    expect(lambdas((w) => 5 * w ** 2 - 9 * w, 1)).toBe(2)
  })

  test('residuals that do not fit are refused', () => {
    const rule = egn({
      residualsAt: () => ({ batch: 2, jacobian: [new Float32Array(3)], residual: new Float32Array(2) }),
    })
    expect(() => directionsOf(rule, [{ gradients: [[1, 1]], values: [[0, 0]] }])).toThrow(
      expect.objectContaining({ code: 'ERR_SHAPE', message: expect.stringContaining('jacobian[0]') }),
    )
  })
})

describe('full matrices', () => {
  test('fullMatrixAdagrad: first g / |g|, then by both directions', () => {
    const steps = [
      { gradients: [[3, 4]], values: [[0, 0]] },
      { gradients: [[-4, 3]], values: [[0, 0]] },
    ]
    // S = 25 u u^T, then 25 I.
    expectClose(
      directionsOf(fullMatrixAdagrad({ ridge: { absolute: 1e-6 } }), steps),
      [
        [0.6, 0.8],
        [-0.8, 0.6],
      ],
      2e-4,
    )
    expect(() => directionsOf(fullMatrixAdagrad({ maxElements: 1 }), steps)).toThrow(
      expect.objectContaining({ code: 'ERR_SHAPE', message: expect.stringContaining('maxElements (1)') }),
    )
  })

  test('ggt equals full-matrix AdaGrad on the span of its window, and divides by epsilon outside', () => {
    const steps = [
      { gradients: [[1, 2, 0]], values: [[0, 0, 0]] },
      { gradients: [[2, -1, 0]], values: [[0, 0, 0]] },
      { gradients: [[1, 1, 0]], values: [[0, 0, 0]] },
    ]
    const full = directionsOf(fullMatrixAdagrad({ ridge: { absolute: 1e-8 } }), steps.slice(0, 2))
    const windowed = directionsOf(ggt({ window: 2, beta1: 0, epsilon: 1e-6 }), steps.slice(0, 2))
    expectClose(windowed, full, 2e-4)
    // The average holds the first gradient, which a window of 1 has forgotten.
    const outside = [
      { gradients: [[1, 0]], values: [[0, 0]] },
      { gradients: [[0, 2]], values: [[0, 0]] },
    ]
    // v = (1/4, 1) / (3/4); sigma = 2 along e2.
    const [, last] = directionsOf(ggt({ window: 1, beta1: 0.5, epsilon: 0.5 }), outside)
    expectClose([last!], [[1 / 3 / 0.5, 4 / 3 / 2.5]], 1e-5)
  })
})

describe('psgdKron', () => {
  test('one step of a scalar factor', () => {
    // g = 4: q = 4^{-1/2} = 1/2, P g = 1: t = 1, n / d = 1, q stays, D = 1.
    expectClose(directionsOf(psgdKron({ damping: 0, beta1: 0 }), [{ gradients: [[4]], values: [[0]] }]), [[1]])
    // Then g = 8: P g = 2, t = 4, L = max(0.9 * 2 + 0.1 * 5, 5) = 5, q = 1/2 (1 - (0.1 / 5) 3), D = 8 q^2.
    const steps = [4, 8].map((g) => ({ gradients: [[g]], values: [[0]] }))
    expectClose(directionsOf(psgdKron({ damping: 0, beta1: 0 }), steps), [[1], [2 * 0.94 ** 2]])
  })

  test('directions in which nothing ever comes stay bounded', () => {
    const steps = Array.from({ length: 400 }, () => ({ gradients: [[1, 0]], values: [[0, 0]] }))
    steps.push({ gradients: [[0, 1e-3]], values: [[0, 0]] })
    const answers = directionsOf(psgdKron({ beta1: 0, maxRms: 1e9 }), steps)
    expect(Math.abs(answers[400]![1]!)).toBeLessThan(1e2)
    const free = directionsOf(psgdKron({ beta1: 0, maxRms: 1e30, damping: 0, preconditionerLr: 0.5 }), steps.slice(350))
    expect(Math.abs(free[50]![1]!)).toBeGreaterThan(1e5)
  })
})

describe('singd', () => {
  test('one step of a scalar factor: c <- c (1 - beta (g^2 + lambda - 1) / 2)', () => {
    const rule = singd({ factorLr: 0.1, damping: 0.5, momentum: 0 })
    // m = (4 + 0.5 - 1) / 2 = 1.75, c = 1 - 0.175, D = c^2 g.
    expectClose(directionsOf(rule, [{ gradients: [[2]], values: [[0]] }]), [[2 * 0.825 ** 2]])
  })

  test('the fixed point is the inverse second moment', () => {
    const steps = Array.from({ length: 2000 }, (_, t) => ({ gradients: [t % 2 ? [2, 0] : [0, 0.5]], values: [[0, 0]] }))
    const rule = singd({ factorLr: 0.01, damping: 0.1, momentum: 0 })
    const answers = directionsOf(rule, steps)
    // E[g g^T] + lambda = diag(2.1, 0.225)
    expect(answers[1999]![0]! / (2 / 2.1)).toBeCloseTo(1, 1)
    expect(answers[1998]![1]! / (0.5 / 0.225)).toBeCloseTo(1, 1)
  })

  test('a spike of the gradient does not turn a factor over', () => {
    const steps = [1e18, 1].map((g) => ({ gradients: [[g]], values: [[0]] }))
    const [, after] = directionsOf(singd({ momentum: 0 }), steps)
    expect(after![0]).toBeGreaterThan(0)
    expect(Number.isFinite(after![0])).toBe(true)
  })
})

describe('diagonal curvature', () => {
  const diagonal = matrixVector([
    [4, 0],
    [0, -2],
  ])

  test('sophia: clipped, and the sign where curvature is negative', () => {
    const rule = sophia({ estimate: { kind: 'hutchinson', hessianVector: diagonal }, beta1: 0, beta2: 0, gamma: 1 })
    expectClose(directionsOf(rule, [{ gradients: [[2, -1e-3]], values: [[0, 0]] }]), [[0.5, -1]])
    expectClose(directionsOf(rule, [{ gradients: [[20, 0]], values: [[0, 0]] }]), [[1, 0]])
  })

  test('adaHessian: g over the magnitude of the diagonal in the first step', () => {
    const rule = adaHessian({ hessianVector: diagonal })
    expectClose(directionsOf(rule, [{ gradients: [[2, 3]], values: [[0, 0]] }]), [[0.5, 1.5]])
  })

  test('oasis: the second rate is |dw|_B / (2 |dg|_{B^-1})', () => {
    const steps = [
      { gradients: [[4, 2]], values: [[1, 1]] },
      { gradients: [[2, 2]], values: [[0.5, 0]] },
    ]
    // B = diag(4, 2). D_1 = 0.1 (1, 1). dw = (-1/2, -1): 4/4 + 2 = 3. dg = (-2, 0): 4/4 = 1. eta = sqrt(3) / 2.
    const eta = Math.sqrt(3) / 2
    expectClose(directionsOf(oasis({ hessianVector: diagonal }), steps), [
      [0.1, 0.1],
      [eta / 2, eta],
    ])
  })

  test('polyak: c = 1/2 solves f = h w^2 / 2 in one step, whatever h, in the norm of h', () => {
    const rule = polyak({ lossAt: () => 0.5 * (4 * 9 + 2 * 25), preconditioner: 'hutchinson', hessianVector: diagonal })
    // g = (12, 10), B = diag(4, 2), g B^-1 g = 36 + 50, gamma = 43 / (43) = 1.
    expectClose(directionsOf(rule, [{ gradients: [[12, 10]], values: [[3, 5]] }]), [[3, 5]])
    const short = polyak({ lossAt: () => 1, preconditioner: 'identity', maxStep: 0.25, c: 1 })
    expectClose(directionsOf(short, [{ gradients: [[1, 0]], values: [[0, 0]] }]), [[0.25, 0]])
    expectClose(directionsOf(polyak({ lossAt: () => -1 }), [{ gradients: [[1, 0]], values: [[0, 0]] }]), [[0, 0]])
  })
})

describe('bayesianNewton', () => {
  test('two observations of equal weight, the gradient carried along by the Hessian', () => {
    let hessian = 2
    const rule = bayesianNewton({
      hessianAt: () => [Float32Array.of(hessian)],
      hessianDrift: 0,
      gradientDrift: 0,
      damping: 1,
    })
    const state = rule.init([{ name: 'p0', shape: [1] }], device)
    const step = (t: number, g: number, w: number) => {
      const context = { step: t, lr: 1, parameters: [Float32Array.of(w)], clock: new PhaseClock() }
      return onHost(rule.update([Float32Array.of(g)], state, context)[0]!)[0]!
    }
    // g^ = 3, H^ = 2: D = 3 / (2 + 1).
    expect(step(1, 3, 1)).toBeCloseTo(1, 6)
    hessian = 4
    // g^ = 3 + 2 (0 - 1) = 1, then (1 + 2) / 2; H^ = 3: D = 1.5 / 4.
    expect(step(2, 2, 0)).toBeCloseTo(0.375, 6)
    rule.dispose(state)
  })

  test('a block that is not positive definite gets more damping, and the report says so', () => {
    const rule = bayesianNewton({ hessianAt: () => [Float32Array.of(-5)], damping: 1 })
    const state = rule.init([{ name: 'p0', shape: [1] }], device)
    const context = { step: 1, lr: 1, parameters: [Float32Array.of(0)], clock: new PhaseClock() }
    // lambda = 10: 5 D = 10.
    expect(onHost(rule.update([Float32Array.of(10)], state, context)[0]!)[0]).toBeCloseTo(2, 5)
    expect(rule.report(state)[0]!.statuses).toEqual({ not_positive_definite: 1 })
    rule.dispose(state)
  })
})
