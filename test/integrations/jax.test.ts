import * as jax from '@jax-js/jax'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Device, open } from '../../lib/device.js'
import { applyUpdates, gradientTransformation, type Jax } from '../../lib/integrations/jax.js'
import { adagrad, adamw, muon, Optimizer, type Rule, rmsprop, sgd, shampoo, splus } from '../../lib/optim/index.js'
import { normal, normalArray } from '../optim/random.js'

const { numpy: np, tree } = jax
type Params = { layers: { w: jax.Array; b: jax.Array }[] }

let device: Device
beforeAll(async () => {
  await jax.init('wasm')
  jax.defaultDevice('wasm')
  device = open('cpu')
})
afterAll(() => {
  expect(device.memory().tensors).toBe(0)
  device.dispose()
})

/** jax-js with a list of all arrays that were made through it. */
function recorded(): { jax: Jax; made: jax.Array[] } {
  const made: jax.Array[] = []
  const array: typeof np.array = (...args) => {
    const result = np.array(...args)
    made.push(result)
    return result
  }
  return { jax: { ...jax, numpy: { ...np, array } }, made }
}

const SIZES = [8, 16, 12, 3]

function network(seed: number): Params {
  const next = normal(seed)
  return {
    layers: SIZES.slice(1).map((outputs, index) => {
      const inputs = SIZES[index]!
      return {
        w: np.array(normalArray(inputs * outputs, next, 1 / Math.sqrt(inputs)), { shape: [inputs, outputs] }),
        b: np.array(new Float32Array(outputs), { shape: [outputs] }),
      }
    }),
  }
}

/** 96 points in 8 dimensions, labelled by the quadrant of a nonlinear function of them. */
function data(): { x: jax.Array; y: jax.Array } {
  const next = normal(23)
  const x = normalArray(96 * 8, next)
  const y = new Float32Array(96 * 3)
  for (let n = 0; n < 96; n++) {
    const score = x[8 * n]! * x[8 * n + 1]! + x[8 * n + 2]!
    y[3 * n + (score < -0.5 ? 0 : score < 0.5 ? 1 : 2)] = 1
  }
  return { x: np.array(x, { shape: [96, 8] }), y: np.array(y, { shape: [96, 3] }) }
}

function lossOf(params: Params, x: jax.Array, y: jax.Array): jax.Array {
  const last = params.layers.length - 1
  const logits = params.layers.reduce((input, { w, b }, index) => {
    const output = np.dot(input, w).add(b)
    return index === last ? output : np.tanh(output)
  }, x)
  return np.mean(np.sum(jax.nn.logSoftmax(logits).mul(y).neg(), 1))
}

const gradientOf = jax.jit(jax.valueAndGrad(lossOf))

interface Case {
  readonly name: string
  readonly hidden: () => Rule
  readonly lr: number
}

const CASES: readonly Case[] = [
  { name: 'sgd', hidden: () => sgd({ momentum: 0.9 }), lr: 0.1 },
  { name: 'adamw', hidden: () => adamw(), lr: 0.02 },
  { name: 'rmsprop', hidden: () => rmsprop(), lr: 0.01 },
  { name: 'adagrad', hidden: () => adagrad(), lr: 0.1 },
  { name: 'muon', hidden: () => muon({ outputs: 'last' }), lr: 0.03 },
  { name: 'shampoo', hidden: () => shampoo({ beta2: 0.95, merge: { target: 2 }, graft: adamw() }), lr: 0.02 },
]

test.each(CASES)('$name trains a network, and every array is consumed once', ({ hidden, lr }) => {
  const { jax: counted, made } = recorded()
  const optimizer = gradientTransformation(counted, device, [
    { match: (_, shape) => shape.length === 2, rule: hidden(), lr, weightDecay: 1e-3 },
    { rule: adamw(), lr: 0.02 },
  ])
  const { x, y } = data()
  let params = network(1)
  const start = params
  let state = optimizer.init(tree.ref(params))
  expect(tree.leaves<jax.Array>(params).map((leaf) => leaf.refCount)).toEqual([1, 1, 1, 1, 1, 1])
  const losses: number[] = []
  for (let step = 0; step < 60; step++) {
    const [loss, gradients] = gradientOf(tree.ref(params), x.ref, y.ref)
    losses.push(loss.item())
    const given = tree.leaves<jax.Array>(gradients)
    const [updates, next] = optimizer.update(gradients, state, tree.ref(params))
    expect(given.map((leaf) => leaf.refCount)).toEqual([0, 0, 0, 0, 0, 0])
    expect(tree.leaves<jax.Array>(updates).map((leaf) => leaf.refCount)).toEqual([1, 1, 1, 1, 1, 1])
    expect(() => state.describe()).toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }))
    state = next
    params = applyUpdates(counted, params, updates)
  }
  expect(losses[59]).toBeLessThan(0.4 * losses[0]!)
  expect(state.steps).toBe(60)
  expect(made.length).toBe(60 * 6)
  expect(made.every((array) => array.refCount === 0)).toBe(true)
  expect(tree.leaves<jax.Array>(start).every((array) => array.refCount === 0)).toBe(true)
  tree.dispose(params)
  expect(tree.leaves<jax.Array>(params).every((array) => array.refCount === 0)).toBe(true)
  x.dispose()
  y.dispose()
  state.dispose()
})

describe('gradientTransformation', () => {
  const single = (options: object = {}) => gradientTransformation(jax, device, { rule: adamw(), lr: 0.1, ...options })
  const vector = (...values: number[]) => np.array(new Float32Array(values), { shape: [values.length] })

  test('moves parameters as Optimizer does', () => {
    const next = normal(2)
    const value = normalArray(12, next)
    const array = np.array(value, { shape: [4, 3] })
    const options = { rule: shampoo({ merge: 'none' as const }), lr: 0.1, weightDecay: 0.1 }
    const reference = new Optimizer(device, [{ params: [{ name: 'w', shape: [4, 3], value }], ...options }])
    const optimizer = gradientTransformation(jax, device, options)
    let params: jax.Array = array
    let state = optimizer.init(params.ref)
    for (let step = 0; step < 5; step++) {
      const gradient = normalArray(12, next)
      reference.step([gradient])
      const [updates, successor] = optimizer.update(np.array(gradient, { shape: [4, 3] }), state, params.ref)
      params = applyUpdates(jax, params, updates as jax.Array)
      state = successor
    }
    reference.dispose()
    state.dispose()
    const result = params.dataSync() as Float32Array
    // The update is rounded once more before it is added.
    const worst = result.reduce((most, element, index) => Math.max(most, Math.abs(element - value[index]!)), 0)
    expect(worst).toBeLessThan(1e-6)
  })

  test('evaluation: averages where a rule keeps them, the parameters elsewhere', () => {
    const optimizer = gradientTransformation(jax, device, [
      { match: (path) => path === 'a', rule: splus({ averageBeta: 0.5 }), lr: 1 },
      { rule: sgd(), lr: 1 },
    ])
    let params = { a: vector(1, 1), b: vector(5) }
    let state = optimizer.init(tree.ref(params))
    for (let step = 0; step < 2; step++) {
      const [updates, next] = optimizer.update({ a: vector(1, -1), b: vector(1) }, state, tree.ref(params))
      params = applyUpdates(jax, params, updates)
      state = next
    }
    // Vectors move by signs of 0.001: W = (0.999, 1.001), then (0.998, 1.002); weights 1/3 and 2/3 of the average.
    const { a, b } = optimizer.evaluation(params, state)
    expect([...a.dataSync()]).toEqual([expect.closeTo(0.998333, 5), expect.closeTo(1.001667, 5)])
    expect([...b.dataSync()]).toEqual([3])
    state.dispose()
  })

  test('state names leaves by path, resumes, and tells its plan', () => {
    const optimizer = single()
    const params = { a: vector(1, 2), c: [vector(3)] }
    const first = optimizer.init(tree.ref(params))
    const gradient = () => ({ a: vector(1, -1), c: [vector(2)] })
    const [one, second] = optimizer.update(gradient(), first)
    const saved = second.stateDict()
    expect(Object.keys(saved.state).sort()).toEqual(
      ['a', 'c/0'].flatMap((path) =>
        ['first', 'firstStart', 'second', 'secondStart'].map((field) => `adamw:${path}/${field}`),
      ),
    )
    const [two, third] = optimizer.update(gradient(), second)
    const resumed = optimizer.init(params)
    resumed.loadStateDict(saved)
    const [again, fourth] = optimizer.update(gradient(), resumed)
    expect(again.a.dataSync()).toEqual(two.a.dataSync())
    expect(third.describe().text).toContain('adamw')
    expect(third.timings().apply).toBeGreaterThan(0)
    tree.dispose([one, two.c, again.c])
    third.dispose()
    fourth.dispose()
  })

  test('a gradient that is not finite gives an update of zero and is counted', () => {
    const optimizer = single()
    const [updates, state] = optimizer.update(vector(1, Number.NaN), optimizer.init(vector(1, 2)))
    expect(updates.dataSync()).toEqual(new Float32Array(2))
    expect(state.report().nonFinite).toEqual({ value: 1 })
    state.dispose()
  })

  test('leaves are matched by path, not by position', () => {
    const optimizer = single({ weightDecay: 0.5 })
    const state = optimizer.init({ a: vector(0, 0), b: vector(0) })
    const zero = { b: vector(0), a: vector(0, 0) }
    const [updates, next] = optimizer.update(zero, state, { a: vector(2, 4), b: vector(6) })
    expect([...updates.a.dataSync(), ...updates.b.dataSync()]).toEqual([-0.1, -0.2, -0.3].map(Math.fround))
    next.dispose()
  })

  test.each([
    ['weight decay without parameters', { weightDecay: 0.1 }, vectorOf(1, 2), 'ERR_OPTION', 'need the parameters'],
    ['another shape', {}, vectorOf(1, 2, 3), 'ERR_SHAPE', 'the gradient of value must have shape [2], got 3 elements'],
    ['integers', {}, () => np.array([1, 2], { dtype: np.int32 }), 'ERR_DTYPE', 'value is int32'],
  ])('refuses %s and consumes what it was given', (_, options, gradient, code, message) => {
    const optimizer = single(options)
    const state = optimizer.init(vector(1, 2))
    const given = gradient()
    expect(() => optimizer.update(given, state)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    )
    expect(given.refCount).toBe(0)
    state.dispose()
  })

  test('refuses leaves without a group and unknown options', () => {
    const optimizer = gradientTransformation(jax, device, [{ match: () => false, rule: adamw(), lr: 1 }])
    expect(() => optimizer.init({ w: vector(1) })).toThrow('no group matches w')
    expect(() => single({ learningRate: 1 })).toThrow("there is no option 'learningRate'")
  })

  test('muon says which leaf it cannot take', () => {
    const optimizer = gradientTransformation(jax, device, { rule: muon(), lr: 1 })
    expect(() => optimizer.init({ norm: { scale: vector(1, 2) } })).toThrow(/norm\/scale has shape \[2\].*adamw\(\)/)
  })

  function vectorOf(...values: number[]): () => jax.Array {
    return () => vector(...values)
  }
})
