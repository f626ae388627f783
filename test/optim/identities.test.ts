// What one rule has in common with another, or with a closed form.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Device, open } from '../../lib/device.js'
import {
  adamw,
  asgo,
  eigenvalueCorrectedShampoo,
  type Gradients,
  klShampoo,
  klSoap,
  PhaseClock,
  type Rule,
  shampoo,
  soap,
} from '../../lib/optim/index.js'
import { loadSlots, saveSlots } from '../../lib/optim/slots.js'
import { onHost } from '../../lib/precondition/arrays.js'
import { combine, eigen, matrix, multiply, polarFactor, transpose } from './dense64.js'
import { gradientSequence, normal, normalArray } from './random.js'
import { runRule, worstDifference } from './run-rule.js'

let device: Device
beforeAll(() => {
  device = open('cpu')
})
afterAll(() => {
  expect(device.memory().tensors).toBe(0)
  device.dispose()
})

/** Directions of a rule from a state that `change` has had in its hands after `at` steps. */
function runChanged(
  rule: Rule,
  shape: readonly number[],
  gradients: readonly Gradients[],
  at: number,
  change: (state: Record<string, Float32Array>) => void,
): number[][] {
  const state = rule.init([{ name: 'w', shape }], device)
  const directions = gradients.map((list, index) => {
    if (index === at) {
      const saved = saveSlots(rule.slots(state)) as Record<string, Float32Array>
      change(saved)
      loadSlots(rule.slots(state), saved)
    }
    const context = { step: index + 1, lr: 1, clock: new PhaseClock() }
    const [direction] = rule.update(list, state, context)
    return Array.from(direction ? onHost(direction) : [])
  })
  rule.dispose(state)
  return directions
}

describe('soap', () => {
  test('with identity bases it is Adam, to the bit', () => {
    const shapes = [[6, 4], [5], [3, 2, 4], []]
    const gradients = gradientSequence(shapes, 8)
    const adam = runRule(device, adamw({ beta1: 0.95, beta2: 0.95 }), shapes, gradients)
    // Dimensions of 1 have bases, of course: [1].
    expect(
      runRule(
        device,
        soap({ sides: { largest: 1 } }),
        shapes.slice(0, 3),
        gradients.map((l) => l.slice(0, 3)),
      ),
    ).toEqual(adam.map((list) => list.slice(0, 3)))
  })

  test('S8: the order and the signs of the basis do not matter, if the moments follow', () => {
    const shape = [4, 4]
    const gradients = gradientSequence([shape], 12)
    const rule = () => soap({ refresh: { every: 4 } })
    const plain = runChanged(rule(), shape, gradients, 6, () => {})
    const order = [2, 0, 3, 1]
    const sign = [1, -1, -1, 1]
    const permuted = (hasMoments: boolean) => (state: Record<string, Float32Array>) => {
      const key = (field: string) => `w/block0.${field}`
      const basis = state[key('basis0')]!.slice()
      for (let i = 0; i < 4; i++)
        for (let j = 0; j < 4; j++) state[key('basis0')]![4 * i + j] = sign[j]! * basis[4 * i + order[j]!]!
      if (!hasMoments) return
      for (const field of ['first', 'second']) {
        const old = state[key(field)]!.slice()
        for (let i = 0; i < 4; i++) {
          for (let j = 0; j < 4; j++) {
            state[key(field)]![4 * i + j] = (field === 'first' ? sign[i]! : 1) * old[4 * order[i]! + j]!
          }
        }
      }
    }
    const moved = runChanged(rule(), shape, gradients, 6, permuted(true))
    moved.forEach((direction, step) => {
      expect(worstDifference(direction, plain[step]!)).toBeLessThan(2e-5)
    })
    // Without the second moment it is another method: the test can tell.
    const broken = runChanged(rule(), shape, gradients, 6, permuted(false))
    expect(worstDifference(broken[6]!, plain[6]!)).toBeGreaterThan(0.1)
  })

  test('basis continuity: directions do not jump at a refresh whose statistics hardly moved', () => {
    const shape = [5, 5]
    const gradients = gradientSequence([shape], 60)
    const refreshed = runRule(device, soap({ factorBeta: 0.999, refresh: { every: 30 } }), [shape], gradients)
    const kept = runRule(device, soap({ factorBeta: 0.999, refresh: { every: 1000 } }), [shape], gradients)
    // Until step 30 the runs are the same; step 31 is the first in the new bases.
    expect(refreshed.slice(0, 30)).toEqual(kept.slice(0, 30))
    const next = Math.hypot(...kept[30]![0]!)
    const jump = worstDifference(refreshed[30]![0]!, kept[30]![0]!) / next
    expect(jump).toBeGreaterThan(0)
    expect(jump).toBeLessThan(0.6)
  })

  test('scale: directions do not depend on that of the gradients', () => {
    const gradients = gradientSequence([[5, 5]], 6)
    const scaled = gradients.map((list) => list.map((gradient) => gradient.map((value) => value * 2 ** 20)))
    for (const rule of [() => soap({ epsilon: 1e-30 }), () => klSoap({ epsilon: 1e-30 })]) {
      const [one, other] = [gradients, scaled].map((lists) => runRule(device, rule(), [[5, 5]], lists))
      expect(worstDifference(one!.flat(2), other!.flat(2))).toBeLessThan(1e-4)
    }
  })
})

describe('shampoo', () => {
  test('half powers with trace scaling are Adafactor in the eigenbasis: D_ij = G_ij / sqrt(l_i r_j / sum l)', () => {
    // One step: L = G G^T, R = G^T G. In their bases G is diagonal, so take independent statistics: two steps of a sum.
    const gradients = gradientSequence([[4, 4]], 6)
    const rule = shampoo({
      merge: 'none',
      beta1: 0,
      traceScaling: 0.5,
      exponentOverride: { 2: 0.5 },
      ridge: { absolute: 0 },
      root: { method: 'eigh' },
    })
    const directions = runRule(device, rule, [[4, 4]], gradients)
    let left = matrix(4, 4)
    let right = matrix(4, 4)
    for (const [gradient] of gradients) {
      const g = matrix(4, 4, gradient!)
      left = combine(1, left, 1, multiply(g, transpose(g)))
      right = combine(1, right, 1, multiply(transpose(g), g))
    }
    const [l, r] = [eigen(left), eigen(right)]
    const total = l.values.reduce((sum, value) => sum + value, 0)
    const last = matrix(4, 4, gradients[5]![0]!)
    const z = multiply(multiply(transpose(l.vectors), last), r.vectors)
    const factored = matrix(
      4,
      4,
      z.data.map((value, at) => value / Math.sqrt((l.values[Math.floor(at / 4)]! * r.values[at % 4]!) / total)),
    )
    // Each factor is divided by the root of its trace; together that is the trace, for both have the same.
    const expected = multiply(multiply(l.vectors, factored), transpose(r.vectors))
    expect(worstDifference(directions[5]![0]!, [...expected.data])).toBeLessThan(2e-4)
  })

  test('asgo without averages is the polar factor, from the smaller side', () => {
    const [gradient] = gradientSequence([[6, 4]], 1)
    const rule = asgo({ beta1: 0, beta2: 1, ridge: { absolute: 0 } })
    const expected = polarFactor(matrix(6, 4, gradient![0]!))
    expect(worstDifference(runRule(device, rule, [[6, 4]], [gradient!])[0]![0]!, [...expected.data])).toBeLessThan(1e-5)
  })

  test('eigenvalue correction whose second moment is l_i r_j would be half powers; it is the better fit to the squares', () => {
    // E (Q_L^T G Q_R)^2 of the gradients themselves against the products of eigenvalues, by the spread of the whitened squares.
    const gradients = gradientSequence([[4, 4]], 400)
    const corrected = eigenvalueCorrectedShampoo({
      merge: 'none',
      beta1: 0,
      beta2: 0.999,
      correctionBeta: 0.999,
      refresh: { every: 100 },
    })
    const directions = runRule(device, corrected, [[4, 4]], gradients).slice(200)
    const half = shampoo({
      merge: 'none',
      beta1: 0,
      beta2: 0.999,
      exponentOverride: { 2: 0.5 },
      refresh: { every: 100 },
    })
    const uncorrected = runRule(device, half, [[4, 4]], gradients).slice(200)
    const spread = (all: readonly (readonly (readonly number[])[])[]) => {
      const squares = Array.from({ length: 16 }, (_, i) => all.reduce((sum, [d]) => sum + d![i]! ** 2, 0) / all.length)
      return Math.max(...squares) / Math.min(...squares)
    }
    expect(spread(directions)).toBeLessThan(spread(uncorrected))
  })
})

describe('klShampoo', () => {
  test('S9: gradients C_L Z C_R^T take the factors to C_L C_L^T (x) C_R C_R^T', () => {
    const next = normal(17)
    const [m, n] = [6, 5]
    const spread = (size: number) => {
      const q = polarFactor(matrix(size, size, normalArray(size * size, next)))
      const scaled = matrix(
        size,
        size,
        q.data.map((value, i) => value * 30 ** ((0.5 * (i % size)) / (size - 1))),
      )
      return multiply(scaled, transpose(q))
    }
    const [cl, cr] = [spread(m), spread(n)]
    const steps = 4000
    const gradients = Array.from({ length: steps }, () => {
      const z = matrix(m, n, normalArray(m * n, next))
      return [Float32Array.from(multiply(multiply(cl, z), transpose(cr)).data)]
    })
    // Step sizes that fall as 1 / t average over all gradients.
    const rule = klShampoo({ merge: 'none', beta2: (step) => 1 - 1 / (10 + step / 4), ridge: { relative: 1e-6 } })
    const state = rule.init([{ name: 'w', shape: [m, n] }], device)
    gradients.forEach((list, index) => {
      rule.update(list, state, { step: index + 1, lr: 1, clock: new PhaseClock() })
    })
    const saved = saveSlots(rule.slots(state)) as Record<string, Float32Array>
    rule.dispose(state)
    // Roots are (L (x) R)^{-1/2}: whitened covariances are near the identity, up to one factor that cancels in the product.
    const whitened = (root: Float32Array, c: ReturnType<typeof matrix>) => {
      const x = multiply(matrix(c.rows, c.rows, root), c)
      return eigen(multiply(x, transpose(x))).values
    }
    const [left, right] = [whitened(saved['w/block0.root0']!, cl), whitened(saved['w/block0.root1']!, cr)]
    const products = left.flatMap((l) => right.map((r) => l * r))
    expect(Math.min(...products)).toBeGreaterThan(0.75)
    expect(Math.max(...products)).toBeLessThan(1.3)
  })
})
