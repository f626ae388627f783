import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Device, open } from '../../lib/device.js'
import { adamw, rmsprop, type ShampooOptions, sgd, shampoo, signsgd } from '../../lib/optim/index.js'
import { gradientSequence, normal } from './random.js'
import { optimizerOf, runRule, worstDifference } from './run-rule.js'

let device: Device
beforeAll(() => {
  device = open('cpu')
})
afterAll(() => {
  expect(device.memory().tensors).toBe(0)
  device.dispose()
})

describe('identities', () => {
  test('S4: all dimensions left alone is the identity, whatever the order', () => {
    const shape = [2, 3, 4, 5, 6, 7]
    const [gradient] = gradientSequence([shape], 1)
    const rule = shampoo({ beta1: 0, merge: 'none', exponentOverride: { 6: 0 } })
    expect(runRule(device, rule, [shape], [gradient!])[0]![0]).toEqual([...gradient![0]!])
  })

  test('S4: one dimension at a time composes to all of them', () => {
    const shape = [3, 4, 2, 5]
    const gradients = gradientSequence([shape], 1)
    const options = { beta1: 0, merge: 'none', ridge: { absolute: 1e-3 }, root: { method: 'eigh' } } as const
    const all = runRule(device, shampoo({ ...options, exponentOverride: { 4: 0.25 } }), [shape], gradients)[0]![0]!
    // The root of one dimension comes from the gradient, in step 1; step 2 applies it to what the others have left.
    let current = gradients[0]![0]!
    for (let dimension = 0; dimension < 4; dimension++) {
      const exponents = [0, 0, 0, 0]
      exponents[dimension] = 0.25
      const rule = shampoo({ ...options, exponentOverride: { 4: exponents }, refresh: { every: 1000, start: 1 } })
      current = Float32Array.from(runRule(device, rule, [shape], [gradients[0]!, [current]])[1]![0]!)
    }
    expect(worstDifference(all, [...current])).toBeLessThan(1e-4)
  })

  test('blocks that cover a block-diagonal gradient are the unblocked method', () => {
    const gradient = new Float32Array(36)
    const next = normal(3)
    for (let i = 0; i < 6; i++) for (let j = 0; j < 6; j++) if (i < 3 === j < 3) gradient[6 * i + j] = next()
    const options = { merge: 'none', ridge: { absolute: 1e-6 }, root: { method: 'eigh' } } as const
    const whole = runRule(device, shampoo(options), [[6, 6]], [[gradient]])[0]![0]!
    const blocked = runRule(device, shampoo({ ...options, blockSize: 3 }), [[6, 6]], [[gradient]])[0]![0]!
    expect(worstDifference(whole, blocked)).toBeLessThan(1e-4)
  })

  test('merging is a view: a 4 x 3 x 2 tensor with target 2 is the 4 x 6 matrix', () => {
    const gradients = gradientSequence([[4, 3, 2]], 4)
    const tensor = runRule(device, shampoo({ merge: { threshold: 6 } }), [[4, 3, 2]], gradients)
    const matrix = runRule(device, shampoo({ merge: 'none' }), [[4, 6]], gradients)
    expect(tensor).toEqual(matrix)
  })

  test('scale: without momentum and with a relative ridge, directions do not depend on the scale of the gradients', () => {
    const gradients = gradientSequence([[6, 4]], 3)
    const rule = shampoo({ merge: 'none', root: { method: 'eigh' } })
    const scaled = gradients.map((list) => list.map((gradient) => gradient.map((value) => value * 2 ** -20)))
    const one = runRule(device, rule, [[6, 4]], gradients)
    const other = runRule(device, rule, [[6, 4]], scaled)
    expect(worstDifference(one.flat(2), other.flat(2))).toBeLessThan(1e-4)
  })
})

describe('grafting', () => {
  const shapes = [[6, 4], [5], [7, 3]]
  const gradients = gradientSequence(shapes, 6)
  const never = { every: 1, start: 1000 }

  test('before the start step the graft alone moves the parameters, to the bit', () => {
    const graft = adamw({ beta1: 0.8 })
    expect(runRule(device, shampoo({ graft, refresh: never }), shapes, gradients)).toEqual(
      runRule(device, graft, shapes, gradients),
    )
    expect(runRule(device, shampoo({ graft: sgd(), refresh: never }), shapes, gradients)).toEqual(
      runRule(device, sgd(), shapes, gradients),
    )
  })

  test.each([
    ['adam', adamw({ beta1: 0.9, epsilon: 1e-10 })],
    ['rmsprop', rmsprop({ beta1: 0.9, beta2: 0.99, epsilon: 1e-10 })],
    ['sign', signsgd()],
  ] as const)('S6: %s before the start step equals the rule of that name', (graft, rule) => {
    expect(runRule(device, shampoo({ graft, refresh: never }), shapes, gradients)).toEqual(
      runRule(device, rule, shapes, gradients),
    )
  })

  test('sgd and none before the start step are the averaged gradient', () => {
    const averaged = runRule(device, shampoo({ graft: 'sgd', refresh: never }), shapes, gradients)
    expect(averaged).toEqual(runRule(device, shampoo({ refresh: never }), shapes, gradients))
    // m' of step 2 with beta1 = 0.9: (0.09 g1 + 0.1 g2) / 0.19
    const expected = [...gradients[0]![0]!].map((g, i) => (0.09 * g + 0.1 * gradients[1]![0]![i]!) / 0.19)
    expect(worstDifference(averaged[1]![0]!, expected)).toBeLessThan(1e-7)
  })

  const norm = (values: readonly number[]) => Math.hypot(...values)

  test('per layer: the norm of the graft, the direction of Shampoo', () => {
    const options = { merge: 'none', blockSize: 3 } as const
    const grafted = runRule(device, shampoo({ ...options, graft: adamw(), graftScope: 'layer' }), shapes, gradients)
    const plain = runRule(device, shampoo(options), shapes, gradients)
    const adam = runRule(device, adamw(), shapes, gradients)
    grafted.forEach((directions, step) => {
      directions.forEach((direction, index) => {
        expect(norm(direction) / norm(adam[step]![index]!)).toBeCloseTo(1, 5)
        const scale = norm(adam[step]![index]!) / norm(plain[step]![index]!)
        expect(
          worstDifference(
            direction,
            plain[step]![index]!.map((value) => scale * value),
          ),
        ).toBeLessThan(1e-4)
      })
    })
  })

  test('per block: every block has the norm of its part of the graft', () => {
    const grafted = runRule(
      device,
      shampoo({ merge: 'none', blockSize: 3, graft: adamw() }),
      [[6, 4]],
      gradients.map(([first]) => [first!]),
    )
    const adam = runRule(
      device,
      adamw(),
      [[6, 4]],
      gradients.map(([first]) => [first!]),
    )
    const block = (values: readonly number[], row: number) =>
      [0, 1, 2].flatMap((i) => [0, 1, 2].map((j) => values[4 * (row + i) + j]!))
    for (const row of [0, 3]) {
      expect(norm(block(grafted[5]![0]!, row)) / norm(block(adam[5]![0]!, row))).toBeCloseTo(1, 5)
    }
  })
})

describe('state', () => {
  test('size: statistics (as triangles) and roots per block, one average per element', () => {
    const optimizer = optimizerOf(
      device,
      [
        [6, 4],
        [6, 4],
      ],
      shampoo({ merge: 'none' }),
    )
    const { state } = optimizer.stateDict()
    const lengths = Object.fromEntries(Object.entries(state).map(([key, array]) => [key, array.length]))
    expect(lengths).toEqual(
      Object.fromEntries(
        ['p0', 'p1'].flatMap((name) => [
          [`shampoo:${name}/average`, 24],
          [`shampoo:${name}/averageStartWeight`, 1],
          [`shampoo:${name}/block0.seen`, 1],
          [`shampoo:${name}/block0.due`, 1],
          ...[6, 4].flatMap((size, dimension) => [
            [`shampoo:${name}/block0.statistic${dimension}`, (size * (size + 1)) / 2],
            [`shampoo:${name}/block0.root${dimension}`, size * size],
            [`shampoo:${name}/block0.refreshedAt${dimension}`, 1],
            [`shampoo:${name}/block0.failures${dimension}`, 1],
          ]),
        ]),
      ),
    )
    // Two factors and two roots of 36 + 16 elements a block, and 24 elements in and out.
    expect(device.memory().bytes).toBe(4 * 2 * (2 * (36 + 16) + 2 * 24))
    optimizer.dispose()
    expect(device.memory().bytes).toBe(0)
  })

  test.each([
    ['f32', Float32Array, 4 * (6 * 6 + 4 * 4)],
    ['f64', Float64Array, 8 * (6 * 6 + 4 * 4)],
    ['bf16', Uint16Array, 2 * (21 + 10)],
  ] as const)(
    'statistics in %s: triangles of that type in a checkpoint, and the bytes in the plan',
    (storage, type, bytes) => {
      const plain = optimizerOf(device, [[6, 4]], shampoo({ merge: 'none' }))
      const optimizer = optimizerOf(device, [[6, 4]], shampoo({ merge: 'none', storage }))
      expect(optimizer.describe().bytes).toBe(plain.describe().bytes - 4 * (6 * 6 + 4 * 4) + bytes)
      for (const gradients of gradientSequence([[6, 4]], 3)) optimizer.step(gradients)
      const statistic = optimizer.stateDict().state['shampoo:p0/block0.statistic0']!
      expect(statistic).toBeInstanceOf(type)
      expect(statistic.length).toBe(21)
      plain.dispose()
      optimizer.dispose()
    },
  )

  test('a checkpoint does not depend on what else was stacked', () => {
    const gradients = gradientSequence(
      [
        [6, 4],
        [6, 4],
      ],
      3,
    )
    const both = optimizerOf(
      device,
      [
        [6, 4],
        [6, 4],
      ],
      shampoo({ merge: 'none' }),
    )
    const one = optimizerOf(device, [[6, 4]], shampoo({ merge: 'none' }))
    for (const list of gradients) {
      both.step(list)
      one.step([list[0]!])
    }
    const own = Object.entries(both.stateDict().state).filter(([key]) => key.startsWith('shampoo:p0/'))
    expect(one.stateDict().state).toEqual(Object.fromEntries(own))
    both.dispose()
    one.dispose()
  })

  test('X8: parameters without elements, scalars and ones', () => {
    const shapes = [[0], [3, 0], [], [1, 1]]
    for (const options of [{}, { merge: 'none' }] as const) {
      const directions = runRule(device, shampoo({ ...options, beta1: 0 }), shapes, [
        [new Float32Array(0), new Float32Array(0), Float32Array.of(2), Float32Array.of(-3)],
      ])
      expect(directions[0]!.map((direction) => direction.map((value) => Math.fround(value)))).toEqual([
        [],
        [],
        [expect.closeTo(1, 5)],
        [expect.closeTo(-1, 5)],
      ])
    }
  })
})

describe('options', () => {
  test.each<[object, string]>([
    [{ blockSize: 0 }, 'shampoo: blockSize must be an integer >= 1, got 0'],
    [{ storage: 'f16' }, "shampoo: storage must be one of 'f32', 'f64', 'bf16', got 'f16'"],
    [{ beta1: 1 }, 'shampoo: beta1 must be a finite number >= 0 and < 1, got 1'],
    [{ beta2: 1.5 }, 'shampoo: beta2 must be a finite number >= 0 and < 1, got 1.5'],
    [{ graft: 'momentum' }, "shampoo: graft must be one of 'none', 'sgd', 'adagrad', 'rmsprop', 'adam', 'sign'"],
    [{ graftScope: 'row' }, "shampoo: graftScope must be one of 'block', 'layer', got 'row'"],
    [{ merge: { threshold: 0 } }, 'shampoo: merge.threshold must be an integer >= 1, got 0'],
    [{ merge: 'all' }, "shampoo: merge must be 'none' or { threshold, target }, got 'all'"],
    [
      { root: { method: 'svd' } },
      "shampoo: root.method must be one of 'auto', 'eigh', 'minimax', 'coupled-newton', 'higher-order', 'newton-db', 'cans', 'chebyshev', 'rational', 'partial-fractions', got 'svd'",
    ],
    [
      { refresh: { tolerance: 0.1 }, exponentOverride: { 2: 1 / 3 } },
      'shampoo: refresh.tolerance must be left out, because exponentOverride has exponents other than 1/2, 1/4, 1/6, ..., got 0.1',
    ],
    [
      { refresh: { tolerance: 0.1 }, ridge: { pseudoInverse: 0 } },
      'shampoo: refresh.tolerance must be left out, because ridge is a pseudo-inverse, got 0.1',
    ],
    [{ nesterov: true }, 'shampoo: nesterov must be false, or true with momentum > 0, got true'],
    [{ toleratedFailures: -1 }, 'shampoo: toleratedFailures must be an integer >= 0, got -1'],
    [{ epsilon: 1e-12 }, "shampoo: there is no option 'epsilon'; there are beta1, beta3, beta2"],
  ])('%j is refused', (options, message) => {
    expect(() => shampoo(options as ShampooOptions)).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringContaining(message) }),
    )
  })

  test('a schedule of beta2 must stay below 1', () => {
    const rule = shampoo({ beta2: () => 1 })
    expect(() => runRule(device, rule, [[2]], [[Float32Array.of(1, 2)]])).toThrow(
      'shampoo: beta2 at step 1 must be a finite number',
    )
  })
})
