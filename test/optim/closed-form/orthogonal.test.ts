import { describe, test } from 'vitest'
import {
  adamuon,
  dion,
  modularNorm,
  muon,
  normuon,
  type ParameterRole,
  spectralDescent,
} from '../../../lib/optim/index.js'
import { directions, expectClose } from './directions.js'

describe('muon', () => {
  test('the exact polar factor times its scale', () => {
    const rule = muon({ method: 'polar', scale: 'unit-rms' })
    // 2 outputs, 1 input: sqrt(2) [3, 4] / 5.
    expectClose(directions(rule, [2, 1], [[3, 4]]), [[0.6 * Math.SQRT2, 0.8 * Math.SQRT2]])
  })

  test.each([
    ['spectral', 'first', 2],
    ['spectral', 'last', 1],
    ['match-rms-adamw', 'first', 0.2 * Math.sqrt(8)],
    ['match-rms-adamw', 'last', 0.2 * Math.sqrt(8)],
    ['unit-rms', 'first', 2],
    ['unit-rms', 'last', 0.5],
    ['none', 'first', 1],
  ] as const)('scale %s with outputs %s', (scale, outputs, factor) => {
    // 8 x 2 with orthonormal columns already.
    const gradient = new Array(16).fill(0)
    gradient[0] = 1
    gradient[3] = 1
    const [direction] = directions(muon({ method: 'polar', scale, outputs }), [8, 2], [gradient])
    expectClose([direction!], [gradient.map((value) => factor * value)])
  })

  test('momentum without Nesterov, then with: the direction is that of the mixture', () => {
    const steps = [
      [3, 0],
      [0, 4],
    ]
    // M = 3/2 e1, then 3/4 e1 + 2 e2; Nesterov's second: 3/8 e1 + (2 + 1) e2.
    const unit = (x: number, y: number) => [x / Math.hypot(x, y), y / Math.hypot(x, y)]
    const plain = muon({ method: 'polar', momentum: 0.5, nesterov: false, scale: 'none' })
    const ahead = muon({ method: 'polar', momentum: 0.5, scale: 'none' })
    expectClose(directions(plain, [1, 2], steps), [[1, 0], unit(0.75, 2)])
    expectClose(directions(ahead, [1, 2], steps), [[1, 0], unit(0.375, 3)])
  })
})

describe('splits and heads', () => {
  const exact = { method: 'polar', scale: 'unit-rms' } as const

  test('each block is orthogonalized apart, with the scale of its own shape', () => {
    // [3, 4] and [0, 2] as 1 x 2, [1; 1] / sqrt(2) of 2 x 1 below: sqrt(1 / 2) for all three rows, or for two and one.
    const rows = [3, 4, 0, 2, -5, 0]
    const half = Math.SQRT1_2
    expectClose(directions(muon({ ...exact, splits: [1, 1, 1] }), [3, 2], [rows]), [
      [0.6 * half, 0.8 * half, 0, half, -half, 0],
    ])
    expectClose(directions(muon({ ...exact, heads: 3 }), [3, 2], [rows]), [[0.6 * half, 0.8 * half, 0, half, -half, 0]])
    // Below, diag(2, -5) has the polar factor diag(1, -1), and 2 x 2 the scale 1.
    expectClose(directions(muon({ ...exact, splits: [1, 2] }), [3, 2], [[3, 4, 0, 2, -5, 0]]), [
      [0.6 * half, 0.8 * half, 0, 1, -1, 0],
    ])
  })

  test('columns are cut where outputs are last, or inputs are asked for', () => {
    // Columns [3, 4] and [0, -2] of a 2 x 2.
    const gradient = [3, 0, 4, -2]
    const last = muon({ ...exact, outputs: 'last', heads: 2 })
    const inputs = muon({ ...exact, side: 'inputs', heads: 2 })
    // One output of two inputs has sqrt(1 / 2), two outputs of one input sqrt(2).
    const columns = [0.6, 0, 0.8, -1]
    expectClose(directions(last, [2, 2], [gradient]), [columns.map((value) => value * Math.SQRT1_2)])
    expectClose(directions(inputs, [2, 2], [gradient]), [columns.map((value) => value * Math.SQRT2)])
  })
})

describe('normuon', () => {
  test('rows are evened out, and the norm stays', () => {
    // O of the first is [0.6, 0.8; -0.8, 0.6]: rows alike, nothing to even out. Then G = [1, 0; 0, 0], O = G, and
    // v = 1/2 1/4 + 1/2 1/2, 1/2 1/4 + 0: one row left, which keeps its norm.
    const rule = normuon({ method: 'polar', momentum: 0, nesterov: false, beta2: 0.5, scale: 'none' })
    const steps = [
      [0.6, 0.8, -0.8, 0.6],
      [1, 0, 0, 0],
    ]
    expectClose(directions(rule, [2, 2], steps), steps)
  })

  test('3 x 1: the column [2, 1, 2] / 3, then [0, 0, 1], then [0, 3, 4] / 5', () => {
    const rule = normuon({ method: 'polar', momentum: 0, nesterov: false, beta2: 0.5, scale: 'none' })
    const normalized = (list: readonly number[]) => list.map((value) => value / Math.hypot(...list))
    // v = 1/2 [4, 1, 4] / 9, then 1/2 of that + [0, 0, 1/2], then 1/2 of that + 1/2 [0, 9, 16] / 25.
    const v = [1 / 18, 1 / 72 + 9 / 50, 1 / 18 + 1 / 4 + 8 / 25]
    const expected = [normalized([1, 1, 1]), [0, 0, 1], normalized([0, 0.6 / Math.sqrt(v[1]!), 0.8 / Math.sqrt(v[2]!)])]
    expectClose(
      directions(
        rule,
        [3, 1],
        [
          [2, 1, 2],
          [0, 0, 1],
          [0, 3, 4],
        ],
      ),
      expected,
    )
  })
})

describe('adamuon', () => {
  test('signs, elements evened out, root mean square', () => {
    const rule = adamuon({ method: 'polar', momentum: 0, nesterov: false, beta2: 0.5, rms: 0.2 })
    // sign(G) = [1, -1; 1, 1] is orthogonal already; O = that / sqrt(2), v = 1/4, P = signs, rms 1.
    // Then sign(G) = [0, 1; 0, 0] = O: v = [1/8, 5/8; ...], P has one element, which takes all of 0.2 sqrt(4).
    const steps = [
      [3, -0.1, 2, 7],
      [0, 5, 0, 0],
    ]
    expectClose(directions(rule, [2, 2], steps), [
      [0.2, -0.2, 0.2, 0.2],
      [0, 0.4, 0, 0],
    ])
  })
})

describe('spectralDescent', () => {
  test('nuclear norm times polar factor', () => {
    // diag(3, -4) and its rotation by the 3-4-5 triangle: 7 [1, 0; 0, -1], 7 [0.6, 0.8; 0.8, -0.6].
    const steps = [
      [3, 0, 0, -4],
      [1.8, 3.2, 2.4, -2.4],
    ]
    const signs = [
      [1, 0, 0, -1],
      [0.6, 0.8, 0.8, -0.6],
    ]
    expectClose(
      directions(spectralDescent(), [2, 2], steps),
      signs.map((list) => list.map((value) => 7 * value)),
      1e-5,
    )
    expectClose(directions(spectralDescent({ length: 'unit' }), [2, 2], steps), signs)
  })
})

describe('dion', () => {
  test('a matrix of rank 1: the direction is exact at once, and M keeps mu of it', () => {
    // B = u v^T, so P = +-u / |u|, Q = +-v / |v|, M = mu u v^T. The next B is u v^T (mu + 1), then a gradient of zero.
    const rule = dion({ rank: 1, momentum: 0.5, epsilon: 0, scale: 'none' })
    const outer = [3, 4].flatMap((u) => [5, 12].map((v) => u * v))
    const unit = [3, 4].flatMap((u) => [5, 12].map((v) => (u * v) / 65))
    expectClose(directions(rule, [2, 2], [outer, outer, [0, 0, 0, 0]]), [unit, unit, unit])
  })

  test('scale: sqrt(out / in) by default', () => {
    expectClose(directions(dion({ rank: 1 }), [2, 1], [[3, 4]]), [[0.6 * Math.SQRT2, 0.8 * Math.SQRT2]], 1e-5)
    expectClose(
      directions(dion({ rank: 1, outputs: 'last' }), [2, 1], [[3, 4]]),
      [[0.6 * Math.SQRT1_2, 0.8 * Math.SQRT1_2]],
      1e-5,
    )
  })
})

describe('modularNorm', () => {
  const one = (role: ParameterRole, options = {}) => modularNorm({ modules: { parameter: 'p0', role }, ...options })

  test('linear: sqrt(out / in) U V^T, twice with the dual norm', () => {
    // 2 x 1: T = sqrt(2) [0.6, 0.8], <G, T> = 5 sqrt(2).
    expectClose(directions(one('hidden'), [2, 1], [[3, 4]]), [[6, 8]], 1e-5)
    expectClose(directions(one('head', { length: 'unit' }), [2, 1], [[3, 4]]), [[0.6 * Math.SQRT2, 0.8 * Math.SQRT2]])
  })

  test('embedding: each token apart; one without a gradient stays', () => {
    // T = sqrt(2) [0.6, 0.8], [0, 0], [0, -1]; <G, T> = sqrt(2) (5 + 2).
    const gradient = [3, 4, 0, 0, 0, -2]
    const unit = [0.6, 0.8, 0, 0, 0, -1]
    expectClose(directions(one('embedding'), [3, 2], [gradient]), [unit.map((value) => 14 * value)], 1e-5)
    // Columns as tokens: [3, 0, 0] and [4, 0, -2], RMS 1 over three.
    const columns = [1, 2 / Math.sqrt(5), 0, 0, 0, -1 / Math.sqrt(5)].map((value) => value * Math.sqrt(3))
    expectClose(directions(one('embedding', { embeddings: 'columns', length: 'unit' }), [3, 2], [gradient]), [columns])
  })

  test('vectors: signs, with the l1 norm', () => {
    expectClose(directions(one('bias'), [3], [[3, 0, -0.5]]), [[3.5, 0, -3.5]])
  })
})
