// What the orthogonalized rules have in common, and what the scale of the gradients does to each of them.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Device, open } from '../../lib/device.js'
import {
  adamuon,
  dion,
  type Gradients,
  type ModuleTree,
  modularNorm,
  muon,
  normuon,
  PhaseClock,
  type Rule,
  spectralDescent,
} from '../../lib/optim/index.js'
import { frobenius, matrix, polarFactor } from './dense64.js'
import { gradientSequence } from './random.js'
import { runRule, type Shapes, worstDifference } from './run-rule.js'

let device: Device
beforeAll(() => {
  device = open('cpu')
})
afterAll(() => {
  expect(device.memory().tensors).toBe(0)
  device.dispose()
})

const run = (rule: Rule, shapes: Shapes, gradients: readonly Gradients[]) => runRule(device, rule, shapes, gradients)
const relative = (a: readonly number[], b: readonly number[]) =>
  frobenius(a.map((value, i) => value - b[i]!)) / frobenius(b)

function expectEach(actual: readonly (readonly number[])[], expected: readonly (readonly number[])[]): void {
  for (const [index, direction] of actual.entries()) expect(relative(direction, expected[index]!)).toBeLessThan(1e-5)
}

describe('identities', () => {
  test('Muon with the exact polar factor is spectral descent without its dual norm', () => {
    const shapes = [
      [6, 4],
      [3, 2, 4],
    ]
    const gradients = gradientSequence(shapes, 5)
    const exact = muon({ method: 'polar', scale: 'none', momentum: 0.9 })
    const unit = spectralDescent({ length: 'unit', momentum: 0.9, nesterov: true })
    expect(run(unit, shapes, gradients)).toEqual(run(exact, shapes, gradients))
    // With it, the factor is that of the average: 1 - mu of the heavy ball's.
    const whole = run(spectralDescent(), shapes, gradients).flat()
    const bare = run(muon({ method: 'polar', scale: 'none', momentum: 0, nesterov: false }), shapes, gradients).flat()
    whole.forEach((direction, index) => {
      const norm = gradients.flat()[index]!.reduce((sum, g, i) => sum + g * bare[index]![i]!, 0)
      expect(
        relative(
          direction,
          bare[index]!.map((value) => norm * value),
        ),
      ).toBeLessThan(1e-5)
    })
  })

  test('NorMuon is Muon where all rows of the orthogonalized average are of one length', () => {
    // Square matrices with the exact polar factor: all rows have length 1.
    const shapes = [
      [5, 5],
      [5, 5],
    ]
    const gradients = gradientSequence(shapes, 6)
    const own = run(normuon({ method: 'polar' }), shapes, gradients).flat()
    const other = run(muon({ method: 'polar' }), shapes, gradients).flat()
    expectEach(own, other)
    // And of wide matrices, whose rows are orthonormal; not of tall ones.
    const wide = gradientSequence([[3, 7]], 4)
    const tall = gradientSequence([[7, 3]], 4)
    const difference = (shape: readonly number[], list: readonly Gradients[]) =>
      worstDifference(
        run(normuon({ method: 'polar' }), [shape], list).flat(2),
        run(muon({ method: 'polar' }), [shape], list).flat(2),
      )
    expect(difference([3, 7], wide)).toBeLessThan(1e-5)
    expect(difference([7, 3], tall)).toBeGreaterThan(1e-2)
  })

  test('Dion of full rank keeps no error, and at a constant gradient it becomes Muon', () => {
    const shape = [4, 6]
    const [gradients] = gradientSequence([shape], 1)
    const steps = Array.from({ length: 300 }, () => gradients!)
    const last = run(dion({ rank: 4, epsilon: 0 }), [shape], steps).at(-1)![0]!
    const exact = run(muon({ method: 'polar', scale: 'unit-rms' }), [shape], [gradients!])[0]![0]!
    expect(relative(last, exact)).toBeLessThan(1e-4)
    // M = B - (1 - mu) P P^T B = mu B, for P spans everything: with mu = 0 nothing stays.
    const rule = dion({ rank: 4, momentum: 0 })
    const state = rule.init([{ name: 'p', shape }], device)
    rule.update(gradients!, state, {
      step: 1,
      lr: 1,
      clock: new PhaseClock(),
    })
    const momentum = rule
      .slots(state)
      .find(({ keys }) => keys[0] === 'p/momentum')!
      .read()[0] as Float32Array
    rule.dispose(state)
    expect(frobenius(momentum)).toBeLessThan(1e-6 * frobenius(gradients![0]!))
  })

  test('the modular norm of one linear layer is spectral descent, with the units of RMS', () => {
    const shapes = [[6, 4]]
    const gradients = gradientSequence(shapes, 3)
    const modules: ModuleTree = { parameter: 'p0', role: 'hidden' }
    const own = run(modularNorm({ modules }), shapes, gradients).flat(2)
    const other = run(spectralDescent(), shapes, gradients).flat(2)
    expect(
      relative(
        own,
        other.map((value) => (6 / 4) * value),
      ),
    ).toBeLessThan(1e-5)
    // One s for all of a tree scales the step by 1 / s^2, and one of unit length by 1 / s.
    const scaledTree: ModuleTree = { series: [modules, { sensitivity: 4 }] }
    expect(
      relative(
        run(modularNorm({ modules: scaledTree }), shapes, gradients).flat(2),
        own.map((v) => v / 16),
      ),
    ).toBeLessThan(1e-6)
  })

  test('the modular step decreases <G, .> by as much as its norm allows: <G, D> = |D|^2 = eta^2', () => {
    const shapes = [[5, 3], [4, 6], [4]]
    const [gradients] = gradientSequence(shapes, 1)
    const modules: ModuleTree = {
      series: [
        { parameter: 'p0', role: 'embedding', mass: 2 },
        { parameter: 'p1', role: 'hidden' },
        { parameter: 'p2', role: 'bias', mass: 0.5 },
      ],
    }
    const directions = run(modularNorm({ modules }), shapes, [gradients!])[0]!
    const slope = directions.reduce(
      (sum, direction, p) => sum + direction.reduce((part, value, i) => part + value * gradients![p]![i]!, 0),
      0,
    )
    const s = [3.5 / 2, 3.5, 7]
    // Norms: of rows / sqrt(3); sqrt(6 / 4) times the spectral one, which all singular values are; the largest entry.
    const [table, hidden, bias] = directions
    const rows = [0, 1, 2, 3, 4].map((i) => frobenius(table!.slice(3 * i, 3 * i + 3)) / Math.sqrt(3))
    const norms = [
      Math.max(...rows),
      (Math.sqrt(6 / 4) * frobenius(hidden!)) / frobenius(polarFactor(matrix(4, 6, gradients![1]!)).data),
      Math.max(...bias!.map(Math.abs)),
    ]
    const scaled = norms.map((norm, p) => s[p]! * norm)
    for (const value of scaled) expect(value).toBeCloseTo(scaled[0]!, 4)
    expect(slope / scaled[0]! ** 2).toBeCloseTo(1, 5)
  })
})

describe('scale laws', () => {
  const shapes = [
    [6, 4],
    [4, 6],
  ]
  const modules: ModuleTree = {
    series: [
      { parameter: 'p0', role: 'hidden' },
      { parameter: 'p1', role: 'embedding' },
    ],
  }
  const gradients = gradientSequence(shapes, 4)
  const times = (factor: number) => gradients.map((list) => list.map((gradient) => gradient.map((g) => factor * g)))

  test.each<[string, () => Rule]>([
    ['muon', () => muon()],
    ['muon in heads', () => muon({ heads: 2 })],
    ['normuon', () => normuon()],
    ['adamuon', () => adamuon()],
    ['dion', () => dion({ rank: 2 })],
    ['spectralDescent of unit length', () => spectralDescent({ length: 'unit', momentum: 0.9 })],
    ['modularNorm of unit length', () => modularNorm({ modules, length: 'unit', momentum: 0.9 })],
  ])('%s does not depend on the scale of the gradients, from 1e-20 to 1e15', (_, make) => {
    const one = run(make(), shapes, gradients).flat()
    for (const factor of [2 ** -66, 2 ** 50]) {
      const other = run(make(), shapes, times(factor)).flat()
      expectEach(other, one)
    }
  })

  test.each<[string, () => Rule]>([
    ['spectralDescent', () => spectralDescent({ momentum: 0.9 })],
    ['modularNorm', () => modularNorm({ modules })],
  ])('%s is proportional to the gradients', (_, make) => {
    const one = run(make(), shapes, gradients).flat()
    for (const factor of [2 ** -20, 2 ** 20]) {
      const other = run(make(), shapes, times(factor)).flat()
      expectEach(
        other.map((direction) => direction.map((value) => value / factor)),
        one,
      )
    }
  })
})
