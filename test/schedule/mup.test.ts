import { describe, expect, test } from 'vitest'
import { type MupOptions, mup } from '../../lib/schedule/index.js'

const hidden = { role: 'hidden', base: [64, 64], shape: [256, 256] } as const
const input = { role: 'input', base: [64, 10], shape: [256, 10] } as const
const head = { role: 'head', base: [5, 64], shape: [5, 256] } as const
const embedding = { role: 'embedding', base: [1000, 64], shape: [1000, 256] } as const
const bias = { role: 'bias', base: [64], shape: [256] } as const
const lr = (options: MupOptions) => mup(options).lr

describe('learning rates, four times as wide', () => {
  test.each<[MupOptions['optimizer'], readonly number[]]>([
    // hidden, input, head, embedding, bias
    ['adam', [1 / 4, 1, 1 / 4, 1, 1]],
    ['sgd', [1, 4, 1 / 4, 4, 4]],
    ['soap', [1, 2, 1 / 2, 2, 2]],
    ['shampoo', [1, 2, 1 / 2, 2, 2]],
    ['normalized', [1, 1, 1, 1, 1]],
  ])('%s', (optimizer, expected) => {
    expect([hidden, input, head, embedding, bias].map((parameter) => lr({ optimizer, ...parameter }))).toEqual(expected)
  })

  test('muon: with its scale, the update is sqrt(d_out / d_in)', () => {
    const muon = { optimizer: 'muon' } as const
    expect([hidden, input, head].map((parameter) => lr({ ...muon, scale: 'none', ...parameter }))).toEqual([1, 2, 0.5])
    expect([hidden, input, head].map((parameter) => lr({ ...muon, scale: 'unit-rms', ...parameter }))).toEqual([
      1, 1, 1,
    ])
    // Jordan's scale has sqrt(out / in) for tall matrices only.
    expect([hidden, input, head].map((parameter) => lr({ ...muon, ...parameter }))).toEqual([1, 1, 0.5])
    expect(lr({ ...muon, scale: 'match-rms-adamw', ...hidden })).toBe(0.5)
    expect(() => mup({ ...muon, ...bias })).toThrow("another one for role 'bias': muon takes matrices")
    expect(() => mup({ ...muon, ...embedding })).toThrow("another one for role 'embedding'")
  })

  test('outputs may be the last dimension, convolutions count their windows', () => {
    expect(lr({ optimizer: 'sgd', role: 'input', base: [10, 64], shape: [10, 256], outputs: 'last' })).toBe(4)
    expect(lr({ optimizer: 'adam', role: 'hidden', base: [8, 4, 3, 3], shape: [8, 16, 3, 3] })).toBe(1 / 4)
  })
})

describe('shampoo', () => {
  test('by its exponents: from SGD to the polar factor and beyond', () => {
    const options = { optimizer: 'shampoo', ...input } as const
    // (d_out / d_in)^(1 - E)
    expect(lr({ ...options, exponent: 0.25 })).toBeCloseTo(2, 12)
    expect(lr({ ...options, exponent: 0.5 })).toBeCloseTo(1, 12)
    expect(lr({ ...options, exponent: 0.5, sides: 1 })).toBeCloseTo(2, 12)
    expect(lr({ ...options, exponent: 1e-9 })).toBeCloseTo(lr({ ...options, optimizer: 'sgd' }), 6)
  })

  test('blocks: each is normalized for itself', () => {
    expect(lr({ optimizer: 'shampoo', ...hidden, blockSize: 64 })).toBeCloseTo(1 / 4, 12)
    expect(lr({ optimizer: 'soap', ...hidden, blockSize: 128 })).toBeCloseTo(1 / 2, 12)
    expect(lr({ optimizer: 'soap', ...hidden, blockSize: 1024 })).toBe(1)
  })
})

test('depth enters where updates scale with gradients', () => {
  const deep = (optimizer: MupOptions['optimizer'], more = {}) => lr({ optimizer, ...hidden, depth: 3, ...more })
  expect(deep('sgd')).toBe(3)
  expect(deep('adam')).toBe(1 / 4)
  expect(deep('shampoo')).toBe(1)
  expect(deep('shampoo', { exponent: 0.125 })).toBeCloseTo(3 ** 0.5, 12)
  expect(lr({ optimizer: 'sgd', ...head, depth: 3 })).toBe(1 / 4)
})

test('initialization and independent weight decay', () => {
  const optimizer = 'adam'
  const initialization = [hidden, input, head, embedding, bias].map((p) => mup({ optimizer, ...p }).initialization)
  expect(initialization).toEqual([1 / 2, 1, 1 / 4, 1, 1])
  const decay = [hidden, input, head, embedding, bias].map((p) => mup({ optimizer, ...p }).independentWeightDecay)
  expect(decay).toEqual([1 / 4, 1, 1 / 4, 1, 1])
})

test('the base shape itself changes nothing', () => {
  for (const optimizer of ['adam', 'sgd', 'muon', 'soap', 'shampoo', 'normalized'] as const) {
    expect(mup({ optimizer, role: 'hidden', base: [48, 32], shape: [48, 32], blockSize: 20 })).toEqual({
      lr: 1,
      initialization: 1,
      independentWeightDecay: 1,
    })
  }
})

test.each([
  [{ optimizer: 'lion' }, "mup: optimizer must be one of 'adam', 'sgd'"],
  [{ role: 'weight' }, "mup: role must be one of 'hidden', 'input', 'head', 'embedding', 'bias', 'norm', got 'weight'"],
  [{ shape: [3, 0] }, 'mup: shape must be a list of integers > 0, got [3, 0]'],
  [{ base: [3] }, "mup: base must have two or more dimensions for role 'hidden', got [3]"],
  [{ sides: 3 }, 'mup: sides must be 1 or 2, got 3'],
  [{ width: 3 }, "mup: there is no option 'width'"],
])('refuses %j', (wrong, message) => {
  const options = { optimizer: 'adam', ...hidden, ...wrong } as MupOptions
  expect(() => mup(options)).toThrow(
    expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringContaining(message) }),
  )
})
