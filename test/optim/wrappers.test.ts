// Every wrapper around every kind of rule, and every wrapper around every wrapper.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Device, open } from '../../lib/device.js'
import {
  accumulate,
  adamw,
  entropySgd,
  lookahead,
  mars,
  muon,
  Optimizer,
  type Parameter,
  primalAveraging,
  type Rule,
  sam,
  scheduleFree,
  sgd,
  shampoo,
  soap,
  vrgd,
  xgrad,
} from '../../lib/optim/index.js'
import { asArrays, quadraticOracle, type Values } from './oracle.js'
import { normal, normalArray } from './random.js'
import { RULES as RULE_CASES } from './rules/index.js'

let device: Device
beforeAll(() => {
  device = open('cpu')
})
afterAll(() => {
  expect(device.memory()).toEqual({ bytes: 0, tensors: 0 })
  device.dispose()
})

const SHAPES = [
  [6, 4],
  [4, 6],
  [6, 4],
]
const oracle = quadraticOracle((parameter, index) => 0.2 * parameter - 0.05 * index)
const gradientAt = (values: Values) => asArrays(oracle.gradient(values))

const size = (shape: readonly number[]) => shape.reduce((product, dimension) => product * dimension, 1)
const variance = (length: number) => Float32Array.from({ length }, (_, i) => 1 + (i % 3))

const WRAPPERS: Readonly<Record<string, (rule: Rule) => Rule>> = {
  lookahead: (rule) => lookahead(rule, { every: 3 }),
  sam: (rule) => sam(rule, { gradientAt, rho: 0.01 }),
  mars: (rule) => mars(rule, { clip: 'none' }),
  'mars exact': (rule) => mars(rule, { gradientAt, clip: 4 }),
  xgrad: (rule) => xgrad(rule),
  entropySgd: (rule) => entropySgd(rule, { gradientAt, steps: 3, gamma: 5, noise: 1e-3, seed: 7 }),
  vrgd: (rule) => vrgd(rule, { variance: (specs) => specs.map(({ shape }) => variance(size(shape))) }),
  scheduleFree: (rule) => scheduleFree(rule, { training: 0.8 }),
  primalAveraging: (rule) => primalAveraging(rule),
  accumulate: (rule) => accumulate(rule, { every: 2 }),
}

const RULES: Readonly<Record<string, { readonly make: () => Rule; readonly lr: number }>> = {
  sgd: { make: () => sgd({ momentum: 0.5 }), lr: 0.1 },
  adamw: { make: () => adamw(), lr: 0.05 },
  muon: { make: () => muon(), lr: 0.05 },
  shampoo: { make: () => shampoo({ merge: 'none', graft: 'adam', refresh: { every: 4 } }), lr: 0.05 },
  soap: { make: () => soap({ refresh: { every: 4 } }), lr: 0.05 },
}

interface Setting {
  readonly params: Parameter[]
  readonly optimizer: Optimizer
}

function setting(rule: Rule, lr: number): Setting {
  const next = normal(3)
  const params = SHAPES.map((shape, index) => ({ name: `layer/${index}`, shape, value: normalArray(24, next) }))
  return { params, optimizer: new Optimizer(device, [{ params, rule, lr, weightDecay: 1e-3 }]) }
}

const valuesOf = ({ params }: Setting) => params.map(({ value }) => value)

/** Steps `from` + 1 to `to`; the second parameter has no gradient in step 6. */
function steps(own: Setting, from: number, to: number): void {
  for (let step = from + 1; step <= to; step++) {
    const gradients = gradientAt(valuesOf(own))
    own.optimizer.step(gradients.map((gradient, index) => (step === 6 && index === 1 ? null : gradient)))
  }
}

/** Goes down, and on from a checkpoint to the bit. */
function checkRule(make: () => Rule, lr: number): void {
  const whole = setting(make(), lr)
  const start = oracle.loss(valuesOf(whole))
  steps(whole, 0, 60)
  const values = valuesOf(whole)
  expect(oracle.loss(whole.optimizer.evaluation())).toBeLessThan(0.7 * start)
  const { groups, bytes } = whole.optimizer.describe()
  expect(groups[0]!.rule).toBe(make().name)
  expect(bytes).toBeGreaterThanOrEqual(device.memory().bytes)
  whole.optimizer.dispose()
  for (const stop of [5, 7, 12]) {
    const first = setting(make(), lr)
    steps(first, 0, stop)
    const saved = structuredClone(first.optimizer.stateDict())
    first.optimizer.dispose()
    for (const key of Object.keys(saved.state)) expect(key).toMatch(/:layer\/[012]\/[^/]+$/)
    const second = {
      params: first.params,
      optimizer: new Optimizer(device, [{ params: first.params, rule: make(), lr, weightDecay: 1e-3 }]),
    }
    second.optimizer.loadStateDict(saved)
    steps(second, stop, 60)
    second.optimizer.dispose()
    expect(valuesOf(second)).toEqual(values)
  }
}

describe.each(Object.keys(WRAPPERS))('%s', (wrapper) => {
  const wrap = WRAPPERS[wrapper]!

  test.each(Object.keys(RULES))('around %s', (rule) => {
    const { make, lr } = RULES[rule]!
    checkRule(() => wrap(make()), lr)
  })

  test.each(Object.keys(WRAPPERS))('around %s around sgd', (inside) => {
    checkRule(() => wrap(WRAPPERS[inside]!(sgd())), 0.05)
  })

  test.each(Object.keys(WRAPPERS))('around %s: keys do not collide', (inside) => {
    const rule = wrap(WRAPPERS[inside]!(adamw()))
    const state = rule.init(
      SHAPES.map((shape, index) => ({ name: `p${index}`, shape })),
      device,
    )
    const keys = rule.slots(state).flatMap((slot) => slot.keys)
    expect(new Set(keys).size).toBe(keys.length)
    expect(keys).toContain('p0/inner.inner.second')
    rule.dispose(state)
  })
})

describe('around every rule of the conformance list: finite, and on from a checkpoint to the bit', () => {
  test.each(Object.keys(WRAPPERS))('%s', (wrapper) => {
    for (const { name, make, shapes, lr } of RULE_CASES) {
      const start = () => {
        const next = normal(5)
        return shapes.map((shape, index) => ({ name: `p${index}`, shape, value: normalArray(size(shape), next) }))
      }
      const fresh = (params: Parameter[]) => {
        const rule = WRAPPERS[wrapper]!(make(oracle))
        return { params, optimizer: new Optimizer(device, [{ params, rule, lr: 0.1 * lr, weightDecay: 1e-3 }]) }
      }
      const whole = fresh(start())
      steps(whole, 0, 8)
      whole.optimizer.dispose()
      const first = fresh(start())
      steps(first, 0, 3)
      const saved = structuredClone(first.optimizer.stateDict())
      first.optimizer.dispose()
      const second = fresh(first.params)
      second.optimizer.loadStateDict(saved)
      steps(second, 3, 8)
      const evaluated = second.optimizer.evaluation()
      second.optimizer.dispose()
      expect(valuesOf(second), name).toEqual(valuesOf(whole))
      for (const value of [...valuesOf(second), ...evaluated]) expect(value.every(Number.isFinite), name).toBe(true)
    }
  })
})

test('lookahead(mars(muon())): names, keys, health', () => {
  const own = setting(lookahead(mars(muon())), 0.05)
  steps(own, 0, 3)
  const { state } = own.optimizer.stateDict()
  expect(Object.keys(state).filter((key) => key.includes('layer/0/'))).toEqual([
    'lookahead(mars(muon)):layer/0/lookahead.distance',
    'lookahead(mars(muon)):layer/0/lookahead.steps',
    'lookahead(mars(muon)):layer/0/inner.mars.before',
    'lookahead(mars(muon)):layer/0/inner.mars.seen',
    'lookahead(mars(muon)):layer/0/inner.inner.momentum',
    'lookahead(mars(muon)):layer/0/inner.inner.failures',
  ])
  expect(own.optimizer.report().groups[0]!.solves.length).toBeGreaterThan(0)
  own.optimizer.dispose()
})

test('a rule in a wrapper keeps its own way to be evaluated, seen from where the wrapper looks', () => {
  // z = 4 - 1 = 3 after one step; x = 3.5. Lookahead's slow weights are one step behind: y - (-1).
  const params = [{ name: 'w', shape: [], value: Float32Array.of(4) }]
  const rule = lookahead(primalAveraging(sgd(), { evaluation: 0.5, training: 0 }))
  const optimizer = new Optimizer(device, [{ params, rule, lr: 1 }])
  optimizer.step([Float32Array.of(1)])
  expect([...params[0]!.value]).toEqual([3])
  expect([...optimizer.evaluation()[0]!]).toEqual([4.5])
  optimizer.dispose()
})
