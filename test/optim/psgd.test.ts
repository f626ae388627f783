// PSGD whitens: the spectrum of the whitened covariance, from random gradients of a known one.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Device, open } from '../../lib/device.js'
import { PhaseClock, psgdKron, psgdLra, type Rule } from '../../lib/optim/index.js'
import { saveSlots } from '../../lib/optim/slots.js'
import { eigen, identity, type Matrix, matrix, multiply, polarFactor, spectral, transpose } from './dense64.js'
import { normal } from './random.js'

let device: Device
beforeAll(() => {
  device = open('cpu')
})
afterAll(() => {
  expect(device.memory()).toEqual({ bytes: 0, tensors: 0 })
  device.dispose()
})

/** Symmetric, with eigenvalues spread evenly in their logarithms from 1 to `largest`. */
function covariance(n: number, largest: number, next: () => number): Matrix {
  const basis = polarFactor(
    matrix(
      n,
      n,
      Array.from({ length: n * n }, () => next()),
    ),
  )
  const scaled = matrix(
    n,
    n,
    basis.data.map((value, i) => value * largest ** ((i % n) / (n - 1))),
  )
  return multiply(scaled, transpose(basis))
}

/** State of a rule after gradients of one parameter. */
function trained(rule: Rule, shape: readonly number[], steps: number, gradient: () => Float32Array) {
  const state = rule.init([{ name: 'w', shape }], device)
  const clock = new PhaseClock()
  for (let step = 1; step <= steps; step++) rule.update([gradient()], state, { step, lr: 1, clock })
  const saved = saveSlots(rule.slots(state))
  rule.dispose(state)
  return saved
}

const decaying = (steps: number) => (step: number) => 0.1 * Math.max(0.02, 1 - step / steps)

test('psgdKron: a covariance of Kronecker factors with spectrum [1, 900] becomes the identity', () => {
  const next = normal(3)
  const [rows, columns, steps] = [6, 8, 3000]
  const [a, b] = [covariance(rows, 30, next), covariance(columns, 30, next)]
  const [rootA, rootB] = [a, b].map((factor) => spectral(factor, Math.sqrt)) as [Matrix, Matrix]
  const gradient = () => {
    const noise = matrix(
      rows,
      columns,
      Array.from({ length: rows * columns }, () => next()),
    )
    return Float32Array.from(multiply(multiply(rootA, noise), rootB).data)
  }
  const rule = psgdKron({ maxSkew: 2, beta1: 0, preconditionerLr: decaying(steps) })
  const saved = trained(rule, [rows, columns], steps, gradient)
  const whitened = [a, b].map((factor, side) => {
    const q = matrix(factor.rows, factor.rows, saved[`w/factor${side}`])
    const p = multiply(transpose(q), q)
    return eigen(multiply(multiply(p, factor), p)).values
  })
  const spectrum = whitened[0]!.flatMap((left) => whitened[1]!.map((right) => left * right))
  expect(Math.min(...spectrum)).toBeGreaterThan(0.7)
  expect(Math.max(...spectrum)).toBeLessThan(1.3)
})

test('psgdLra: two strong directions over a multiple of the identity come close to the identity', () => {
  const next = normal(8)
  const [n, rank, steps] = [12, 2, 4000]
  const diagonal = new Array<number>(n).fill(3)
  const strong = Array.from({ length: n * rank }, () => next())
  const gradient = () => {
    const weights = [3 * next(), 2 * next()]
    return Float32Array.from(
      diagonal,
      (scale, i) => scale * (next() + weights.reduce((sum, weight, k) => sum + weight * strong[k * n + i]!, 0)),
    )
  }
  const covarianceOf = matrix(
    n,
    n,
    Array.from({ length: n * n }, (_, index) => {
      const [i, j] = [Math.floor(index / n), index % n]
      const low = 9 * strong[i]! * strong[j]! + 4 * strong[n + i]! * strong[n + j]!
      return diagonal[i]! * diagonal[j]! * (low + (i === j ? 1 : 0))
    }),
  )
  const saved = trained(
    psgdLra({ rank, beta1: 0, preconditionerLr: (step) => 2 * decaying(steps)(step) }),
    [n],
    steps,
    gradient,
  )
  const rows = (field: string) => Array.from({ length: rank }, (_, k) => saved[`w/${field}${k}`]!)
  const [u, v] = [rows('u'), rows('v')]
  const q = matrix(
    n,
    n,
    identity(n).data.map((one, index) => {
      const [i, j] = [Math.floor(index / n), index % n]
      return (one + u.reduce((sum, row, k) => sum + row[i]! * v[k]![j]!, 0)) * saved['w/d']![j]!
    }),
  )
  const p = multiply(transpose(q), q)
  const before = eigen(covarianceOf).values
  const after = eigen(multiply(multiply(p, covarianceOf), p)).values
  const condition = (values: readonly number[]) => Math.max(...values) / Math.min(...values)
  expect(condition(before)).toBeGreaterThan(100)
  // The noise of the estimate is that of one gradient a step.
  expect(condition(after)).toBeLessThan(12)
  expect(Math.exp(after.reduce((sum, value) => sum + Math.log(value), 0) / n)).toBeCloseTo(1.3, 0)
})

test('probability of updates: seeded, the same for equal seeds, and the factors stay between updates', () => {
  const next = normal(1)
  const gradients = Array.from({ length: 40 }, () => Float32Array.from({ length: 6 }, () => next()))
  const factors = (seed: number, updateProbability: number) => {
    let step = 0
    const saved = trained(psgdKron({ seed, updateProbability }), [2, 3], 40, () => gradients[step++]!)
    return { updates: saved['w/updates']![0]!, factor: saved['w/factor0']! }
  }
  expect(factors(1, 0.3)).toEqual(factors(1, 0.3))
  expect(factors(1, 0.3)).not.toEqual(factors(2, 0.3))
  expect(factors(1, 0.3).updates).toBeGreaterThan(4)
  expect(factors(1, 0.3).updates).toBeLessThan(20)
  expect(factors(1, 0).updates).toBe(1)
  expect(factors(1, 1).updates).toBe(40)
})
