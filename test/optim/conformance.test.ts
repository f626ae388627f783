// What every rule must do, over the list in rules.ts.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Device, open } from '../../lib/device.js'
import { Optimizer, type Parameter, PhaseClock, type WeightDecayMode } from '../../lib/optim/index.js'
import { loadSlots, saveSlots } from '../../lib/optim/slots.js'
import { onHost } from '../../lib/precondition/arrays.js'
import { relativeError } from '../matrices/zoo.js'
import { frobenius } from './dense64.js'
import { logisticRegression, type Oracle, quadraticOracle } from './oracle.js'
import { gradientSequence, normal, normalArray } from './random.js'
import { RULES } from './rules/index.js'
import type { RuleCase } from './rules/rule-case.js'

let device: Device
beforeAll(() => {
  device = open('cpu')
})
afterAll(() => {
  expect(device.memory()).toEqual({ bytes: 0, tensors: 0 })
  device.dispose()
})

const specs = (shapes: RuleCase['shapes']) => shapes.map((shape, index) => ({ name: `p${index}`, shape }))
const size = (shape: readonly number[]) => shape.reduce((product, dimension) => product * dimension, 1)

function parameters(shapes: RuleCase['shapes'], seed = 3): Parameter[] {
  const next = normal(seed)
  return specs(shapes).map((spec) => ({ ...spec, value: normalArray(size(spec.shape), next) }))
}

describe.each(RULES)('$name', (rule) => {
  const { model, shapes, tolerance, lr, hasSchedule = false, isCoupled = false, firstMove = 1 } = rule
  const { decayShare = 1, asksForGradients = false } = rule
  const target = (parameter: number, index: number) => 0.3 * (parameter + 1) - 0.1 * index
  const oracle = quadraticOracle(target)
  const make = (problem: Oracle = oracle) => rule.make(problem)
  const run = (use: (optimizer: Optimizer, params: Parameter[]) => void, weightDecay = 0) => {
    const params = parameters(shapes)
    const optimizer = new Optimizer(device, [{ params, rule: make(), lr, weightDecay }])
    try {
      use(optimizer, params)
    } finally {
      optimizer.dispose()
    }
    return params.map(({ value }) => value)
  }

  test('equals its fp64 model over 50 steps', () => {
    const rule = make()
    const state = rule.init(specs(shapes), device)
    const answer = model(oracle)(shapes)
    const clock = new PhaseClock()
    const values = parameters(shapes).map(({ value }) => value)
    let worst = 0
    gradientSequence(shapes, 50).forEach((gradients, index) => {
      const copies = [gradients, values].map((list) => list.map((array) => array.slice()))
      const directions = rule.update(gradients, state, { step: index + 1, lr, clock, parameters: values })
      expect([gradients, values]).toEqual(copies)
      const wanted = answer(gradients, values, { step: index + 1, lr })
      directions.forEach((direction, parameter) => {
        const expected = wanted[parameter]!
        // No direction is none: the parameter stays.
        const own = direction === null ? new Float32Array(expected.length) : onHost(direction)
        const difference = expected.map((value, i) => value - own[i]!)
        worst = Math.max(worst, frobenius(difference) / Math.max(frobenius(expected), 1e-30))
        values[parameter]!.forEach((value, i) => {
          values[parameter]![i] = value - lr * own[i]!
        })
      })
    })
    rule.dispose(state)
    expect(worst).toBeLessThan(tolerance)
  })

  test('resumes bit-exactly at every step of 20', () => {
    const gradients = gradientSequence(shapes, 20)
    const whole = run((optimizer) => {
      for (const list of gradients) optimizer.step(list)
    }, 0.01)
    for (let stop = 0; stop <= 20; stop++) {
      const params = parameters(shapes)
      const first = new Optimizer(device, [{ params, rule: make(), lr, weightDecay: 0.01 }])
      for (const list of gradients.slice(0, stop)) first.step(list)
      const saved = structuredClone(first.stateDict())
      first.dispose()
      const second = new Optimizer(device, [{ params, rule: make(), lr, weightDecay: 0.01 }])
      second.loadStateDict(saved)
      expect(second.steps).toBe(stop)
      for (const list of gradients.slice(stop)) second.step(list)
      expect(second.stateDict().step).toBe(20)
      second.dispose()
      expect(params.map(({ value }) => value)).toEqual(whole)
    }
  })

  test('a zero first gradient moves nothing and does no harm later', () => {
    run((optimizer, params) => {
      const before = params.map(({ value }) => value.slice())
      optimizer.step(params.map(({ value }) => new Float32Array(value.length)))
      expect(params.map(({ value }) => value)).toEqual(before)
      for (const gradients of gradientSequence(shapes, 6)) optimizer.step(gradients)
      for (const { value } of params) expect(value.every(Number.isFinite)).toBe(true)
      expect(params.map(({ value }) => value)).not.toEqual(before)
      expect(optimizer.report().failures).toBe(0)
    })
  })

  test('a parameter without a gradient for k steps is as if those steps had not been', () => {
    const gradients = gradientSequence(shapes, 8)
    const isAbsent = (step: number) => step >= 2 && step < 5
    const gap = run((optimizer, params) => {
      gradients.forEach((list, step) => {
        const before = params[0]!.value.slice()
        optimizer.step(list.map((gradient, index) => (index === 0 && isAbsent(step) ? null : gradient)))
        if (isAbsent(step)) expect(params[0]!.value).toEqual(before)
      })
    })
    const others = run((optimizer) => {
      for (const list of gradients) optimizer.step(list)
    })
    expect(gap[0]).not.toEqual(others[0])
    if (!isCoupled) expect(gap.slice(1)).toEqual(others.slice(1))
    if (hasSchedule || isCoupled) return
    const without = run((optimizer) => {
      for (const list of gradients.filter((_, step) => !isAbsent(step))) optimizer.step(list)
    })
    expect(gap[0]).toEqual(without[0])
  })

  test('a gradient with a NaN leaves its parameter and its state alone, and no other', () => {
    const [first, second] = gradientSequence(shapes, 2)
    const poisoned = second!.map((gradient) => gradient.slice())
    poisoned[0]![3] = Number.NaN
    const clean = run((optimizer) => {
      optimizer.step(first!)
      optimizer.step(second!.map((gradient, index) => (index === 0 ? null : gradient)))
    })
    const skipped = run((optimizer) => {
      optimizer.step(first!)
      const saved = optimizer.stateDict().state
      optimizer.step(poisoned)
      expect(optimizer.report().nonFinite).toEqual({ p0: 1 })
      const after = optimizer.stateDict().state
      const own = Object.keys(saved).filter((key) => key.includes(':p0/') && !key.endsWith('.due'))
      for (const key of own) expect(after[key], key).toEqual(saved[key])
    })
    expect(skipped).toEqual(clean)
  })

  test.skipIf(isCoupled)('directions of a parameter do not depend on which others are in the group', () => {
    const gradients = gradientSequence(shapes, 5)
    const together = run((optimizer) => {
      for (const list of gradients) optimizer.step(list)
    })
    shapes.forEach((_, index) => {
      const params = [parameters(shapes)[index]!]
      const own = quadraticOracle((_, element) => target(index, element))
      const optimizer = new Optimizer(device, [{ params, rule: make(own), lr }])
      for (const list of gradients) optimizer.step([list[index]!])
      optimizer.dispose()
      // To rounding: how many matrices a call holds may choose the path they take (native/core/crossovers.inc).
      expect(relativeError(params[0]!.value, together[index]!)).toBeLessThan(1e-4)
    })
  })

  test('X10: the same bits from one thread and from three', () => {
    const gradients = gradientSequence(shapes, 5)
    const results = [1, 3].map((threads) => {
      const other = open('cpu', { threads })
      const params = parameters(shapes)
      const optimizer = new Optimizer(other, [{ params, rule: make(), lr }])
      for (const list of gradients) optimizer.step(list)
      other.dispose()
      return params.map(({ value }) => value)
    })
    expect(results[0]).toEqual(results[1])
  })

  test('saved state: keys name their parameter, and a copy of it does not follow later steps', () => {
    run((optimizer) => {
      const [first, second] = gradientSequence(shapes, 2)
      optimizer.step(first!)
      const { state } = optimizer.stateDict()
      const copy = structuredClone(state)
      optimizer.step(second!)
      expect(state).toEqual(copy)
      for (const key of Object.keys(state)) expect(key).toMatch(/^[^:]+:p\d\//)
    })
  })

  test('state that does not fit is refused as a whole, naming every difference', () => {
    const rule = make()
    const state = rule.init(specs(shapes), device)
    const slots = rule.slots(state)
    const saved = saveSlots(slots)
    const [key] = Object.keys(saved)
    if (key !== undefined) {
      const { [key]: _, ...rest } = saved
      expect(() => loadSlots(rule.slots(state), { ...rest, surplus: new Float32Array(1) })).toThrow(
        expect.objectContaining({
          code: 'ERR_STATE',
          message: expect.stringMatching(new RegExp(`${key.replace('/', '\\/')} is missing; surplus is unknown here`)),
        }),
      )
    }
    rule.dispose(state)
  })

  test('the plan counts bytes, work and calls', () => {
    run((optimizer) => {
      const plan = optimizer.describe()
      expect(plan.groups[0]!.elements).toBe(shapes.reduce((total, shape) => total + size(shape), 0))
      const native = plan.groups[0]!.buckets.length
      expect(plan.nativeCallsPerStep > 0).toBe(native > 0)
      expect(plan.text).toContain('group 0: ')
      expect(plan.bytes).toBeGreaterThanOrEqual(device.memory().bytes)
    })
  })

  test('groups have learning rates and schedules of their own; at rate 0 a group stands still', () => {
    const gradients = gradientSequence(shapes, 6)
    const halving = (step: number) => lr * 0.5 ** (step - 1)
    const alone = parameters(shapes)
    const reference = new Optimizer(device, [{ params: alone, rule: make(), lr: halving }])
    for (const list of gradients) reference.step(list)
    reference.dispose()
    const moving = parameters(shapes)
    const still = parameters(shapes, 4).map((parameter) => ({ ...parameter, name: `still ${parameter.name}` }))
    const before = still.map(({ value }) => value.slice())
    const optimizer = new Optimizer(device, [
      { params: still, rule: make(), lr: 0 },
      { params: moving, rule: make(), lr: halving },
    ])
    for (const list of gradients) optimizer.step([...list, ...list])
    optimizer.dispose()
    expect(moving.map(({ value }) => value)).toEqual(alone.map(({ value }) => value))
    expect(still.map(({ value }) => value)).toEqual(before)
  })

  test('weight decay: decoupled, corrected, independent and l2 are what they say in the first step that moves', () => {
    const gradients = gradientSequence(shapes, firstMove)
    const wd = 0.1
    const start = parameters(shapes).map(({ value }) => value)
    const after = (
      options: { weightDecayMode?: WeightDecayMode; peakLr?: number },
      weightDecay: number,
      lists: Float32Array[][],
      problem = oracle,
    ) => {
      const params = parameters(shapes)
      const optimizer = new Optimizer(device, [{ params, rule: make(problem), lr, weightDecay, ...options }])
      for (const list of lists) optimizer.step(list)
      optimizer.dispose()
      return params.map(({ value }) => value)
    }
    const plain = after({}, 0, gradients)
    const before = after({}, 0, gradients.slice(1))
    const isFirstMove = (p: number) => firstMove === 1 || relativeError(before[p]!, start[p]!) === 0
    const cases = [
      { mode: 'decoupled', shrinkage: lr * wd },
      { mode: 'corrected', shrinkage: lr * 0.5 * wd, peakLr: 2 * lr },
      { mode: 'independent', shrinkage: wd },
    ] as const
    for (const { mode, shrinkage, ...options } of cases) {
      const decayed = after({ weightDecayMode: mode, ...options }, wd, gradients)
      decayed.forEach((value, p) => {
        if (!isFirstMove(p)) return
        const expected = plain[p]!.map((w, i) => w - decayShare * shrinkage * start[p]![i]!)
        expect(relativeError(value, expected), mode).toBeLessThan(1e-5)
      })
    }
    const regularized = gradients.map((list) =>
      list.map((gradient, p) => gradient.map((g, i) => Math.fround(g + wd * start[p]![i]!))),
    )
    const l2 = after({ weightDecayMode: 'l2' }, wd, gradients)
    const problem: Oracle = {
      ...oracle,
      gradient: (values) => oracle.gradient(values).map((g, p) => g.map((value, i) => value + wd * values[p]![i]!)),
    }
    after({}, 0, regularized, asksForGradients ? problem : oracle).forEach((value, p) => {
      if (!isFirstMove(p)) return
      expect(relativeError(l2[p]!, value), 'l2').toBeLessThan(1e-4)
    })
  })

  test('memoryCap: what the plan counts is enough, half of it is refused and nothing kept', () => {
    const params = parameters(shapes)
    const before = device.memory()
    const optimizer = new Optimizer(device, [{ params, rule: make(), lr }])
    const { bytes } = optimizer.describe()
    optimizer.dispose()
    const capped = (memoryCap: number) => new Optimizer(device, [{ params, rule: make(), lr }], { memoryCap })
    capped(Math.max(bytes, 1)).dispose()
    if (bytes > 0) {
      expect(() => capped(bytes / 2)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_MEMORY' }))
    }
    expect(device.memory()).toEqual(before)
  })

  test('solves a badly scaled quadratic', () => {
    // f(W) = 1/2 sum_ij c_i (W_ij - T_ij)^2, c from 0.1 to 1; the optimum T is not at the start.
    const next = normal(11)
    const params: Parameter[] = [{ name: 'w', shape: [6, 4], value: new Float32Array(24) }]
    const target = normalArray(24, next)
    const curvature = Float32Array.from({ length: 24 }, (_, i) => 0.1 + (0.9 * Math.floor(i / 4)) / 5)
    const problem: Oracle = {
      loss: ([values]) => curvature.reduce((sum, c, i) => sum + 0.5 * c * (values![i]! - target[i]!) ** 2, 0),
      gradient: ([values]) => [Array.from(curvature, (c, i) => c * (values![i]! - target[i]!))],
      hessianVector: ([vector]) => [Array.from(curvature, (c, i) => c * vector![i]!)],
    }
    const loss = () => problem.loss([params[0]!.value])
    const start = loss()
    const steps = 300
    const optimizer = new Optimizer(device, [
      { params, rule: make(problem), lr: (step) => lr * (1 - (step - 1) / steps) },
    ])
    for (let step = 0; step < steps; step++) {
      optimizer.step(problem.gradient([params[0]!.value]).map((gradient) => Float32Array.from(gradient)))
    }
    const [values] = optimizer.evaluation()
    optimizer.dispose()
    expect(problem.loss([values!])).toBeLessThan(1e-3 * start)
  })

  test('fits a small logistic regression', () => {
    const { problem, start } = logisticRegression()
    const params: Parameter[] = [{ name: 'w', shape: [6, 3], value: new Float32Array(18) }]
    expect(start).toBeCloseTo(Math.log(3), 5)
    const optimizer = new Optimizer(device, [{ params, rule: make(problem), lr }])
    for (let step = 0; step < 200; step++) {
      optimizer.step(problem.gradient([params[0]!.value]).map((gradient) => Float32Array.from(gradient)))
    }
    const values = optimizer.evaluation()
    optimizer.dispose()
    expect(problem.loss(values)).toBeLessThan(0.5 * start)
  })
})
