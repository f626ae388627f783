import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type Device, open } from '../../lib/device.js'
import * as linalg from '../../lib/linalg/orthogonalize.js'
import { type Gradients, type MuonOptions, muon, PhaseClock } from '../../lib/optim/index.js'
import { onHost } from '../../lib/precondition/arrays.js'
import { gradientSequence } from './random.js'
import { runRule, type Shapes } from './run-rule.js'

vi.mock('../../lib/linalg/orthogonalize.js', async (load) => {
  const module = await load<typeof import('../../lib/linalg/orthogonalize.js')>()
  return { ...module, orthogonalize: vi.fn(module.orthogonalize) }
})

let device: Device
beforeAll(() => {
  device = open('cpu')
})
afterAll(() => {
  expect(device.memory().tensors).toBe(0)
  device.dispose()
})

const run = (options: MuonOptions, shapes: Shapes, gradients: readonly Gradients[]) =>
  runRule(device, muon(options), shapes, gradients)

describe('muon', () => {
  test('one native call per distinct shape, however many parameters', () => {
    const shapes = [...Array.from({ length: 20 }, () => [6, 4]), [4, 6], [4, 3, 2], [6, 2, 2]]
    vi.mocked(linalg.orthogonalize).mockClear()
    run({}, shapes, gradientSequence(shapes, 1))
    // 6 x 4 (with 6 x 2 x 2) and 4 x 6 (with 4 x 3 x 2).
    expect(linalg.orthogonalize).toHaveBeenCalledTimes(2)
  })

  test('tensors are flattened to outputs x everything else, outputs first or last', () => {
    const gradients = gradientSequence([[3, 2, 4]], 3)
    expect(run({}, [[3, 2, 4]], gradients)).toEqual(run({}, [[3, 8]], gradients))
    expect(run({ outputs: 'last' }, [[3, 2, 4]], gradients)).toEqual(run({ outputs: 'last' }, [[6, 4]], gradients))
  })

  test('the scale of the gradients does not matter, from 1e-20 to 1e15', () => {
    const gradients = gradientSequence([[6, 4]], 3)
    const one = run({}, [[6, 4]], gradients).flat(2)
    for (const scale of [2 ** -66, 2 ** 50]) {
      const scaled = gradients.map((list) => list.map((gradient) => gradient.map((value) => value * scale)))
      const other = run({}, [[6, 4]], scaled).flat(2)
      expect(other.every((value, index) => Math.abs(value - one[index]!) < 1e-5)).toBe(true)
    }
  })

  test('Gram form and Polar Express are the same method with another route or table', () => {
    const gradients = gradientSequence([[4, 12]], 2)
    const plain = run({}, [[4, 12]], gradients).flat(2)
    const gram = run({ method: 'gram-newton-schulz' }, [[4, 12]], gradients).flat(2)
    expect(plain.every((value, index) => Math.abs(value - gram[index]!) < 1e-4)).toBe(true)
    const exact = run({ method: 'polar' }, [[4, 12]], gradients).flat(2)
    const express = run({ table: 'polar-express', steps: 12 }, [[4, 12]], gradients).flat(2)
    expect(express.every((value, index) => Math.abs(value - exact[index]!) < 1e-3)).toBe(true)
    const custom = run({ table: [[3.4445, -4.775, 2.0315]], steps: 5 }, [[4, 12]], gradients).flat(2)
    expect(custom).toEqual(plain)
  })

  test('splits and heads by name: blocks of different weights share one native call', () => {
    const shapes = [
      [6, 4],
      [2, 4],
      [4, 4],
      [2, 4],
    ]
    const gradients = gradientSequence(shapes, 3)
    vi.mocked(linalg.orthogonalize).mockClear()
    const cut = run({ splits: { p0: [2, 4] }, heads: { p2: 2 } }, shapes, gradients)
    // 2 x 4: the first split of p0, p1, both heads of p2, p3. 4 x 4: the other split.
    expect(linalg.orthogonalize).toHaveBeenCalledTimes(2 * gradients.length)
    // As if they had been weights of their own.
    const parts = gradients.map(([a, b, c, d]) => [a!.slice(0, 8), a!.slice(8), b!, c!.slice(0, 8), c!.slice(8), d!])
    const apart = run(
      {},
      [
        [2, 4],
        [4, 4],
        [2, 4],
        [2, 4],
        [2, 4],
        [2, 4],
      ],
      parts,
    )
    expect(cut.map(([a, b, c, d]) => [...a!, ...b!, ...c!, ...d!])).toEqual(apart.map((list) => list.flat()))
  })

  test('heads of splits: every split in as many equal parts', () => {
    const gradients = gradientSequence([[6, 4]], 2)
    const both = run({ splits: [4, 2], heads: 2 }, [[6, 4]], gradients)
    expect(both).toEqual(run({ splits: [2, 2, 1, 1] }, [[6, 4]], gradients))
  })

  test.each<[MuonOptions, string, string]>([
    [{ splits: [4, 4] }, 'ERR_SHAPE', 'muon: splits of p0, [4, 4], add up to 8, not to 6'],
    [{ heads: 4 }, 'ERR_SHAPE', 'muon: 6 of p0 cannot be cut into 4 equal heads'],
    [{ heads: { qkv: 2 } }, 'ERR_OPTION', "muon: heads: there is no option 'qkv'; there are p0"],
  ])('%j does not fit', (options, code, message) => {
    expect(() => run(options, [[6, 4]], [])).toThrow(expect.objectContaining({ code, message }))
  })

  test('a matrix that fails stops its whole weight, no other, and is named when its tolerance is exhausted', () => {
    const rule = muon({ heads: { p0: 2 }, toleratedFailures: 1 })
    const specs = [0, 1].map((index) => ({ name: `p${index}`, shape: [6, 4] }))
    const state = rule.init(specs, device)
    const [gradients] = gradientSequence(
      [
        [6, 4],
        [6, 4],
      ],
      1,
    )
    gradients![0]![23] = Number.NaN
    const step = () => rule.update(gradients!, state, { step: 1, lr: 1, clock: new PhaseClock() })
    const [own, other] = step()
    expect(own).toBeNull()
    expect(onHost(other!).every(Number.isFinite)).toBe(true)
    expect(rule.report(state).map(({ factor, failures }) => [factor, failures])).toEqual([
      ['3x4', 1],
      ['6x4', 0],
    ])
    expect(step).toThrow(
      expect.objectContaining({
        code: 'ERR_NOT_CONVERGED',
        message: expect.stringMatching(/^muon: p0: 2 failures in a row, last non_finite_input/),
      }),
    )
    rule.dispose(state)
  })

  test('a zero gradient average has a zero direction', () => {
    expect(run({}, [[2, 2]], [[new Float32Array(4)]])).toEqual([[[0, 0, 0, 0]]])
  })

  test('in bf16 the direction is that of the full precision to a few hundredths', () => {
    const gradients = gradientSequence([[80, 96]], 2)
    const plain = run({}, [[80, 96]], gradients).flat(2)
    const rounded = run({ precision: 'bf16' }, [[80, 96]], gradients).flat(2)
    const size = Math.hypot(...plain)
    expect(Math.hypot(...rounded.map((value, index) => value - plain[index]!)) / size).toBeLessThan(0.05)
  })

  test('one-dimensional parameters are refused, and the message says where they belong', () => {
    expect(() => run({}, [[3, 3], [3]], [])).toThrow(
      expect.objectContaining({
        code: 'ERR_SHAPE',
        message:
          'muon: p1 has shape [3], but only weights of two or more dimensions can be orthogonalized; put biases, norms ' +
          'and other vectors in a group with another rule, for example adamw()',
      }),
    )
  })

  test.each<[object, string]>([
    [{ momentum: 1 }, 'muon: momentum must be a finite number >= 0 and < 1, got 1'],
    [{ scale: 'rms' }, "muon: scale must be one of 'spectral', 'match-rms-adamw', 'unit-rms', 'none', got 'rms'"],
    [{ table: 'simple' }, "muon: table must be one of 'quintic', 'jiacheng', 'polar-express'"],
    [{ steps: 0 }, 'muon: steps must be an integer >= 1 and <= 1000, got 0'],
    [{ method: 'svd' }, "muon: method must be one of 'newton-schulz', 'gram-newton-schulz', 'polar', got 'svd'"],
    [{ method: 'polar', precision: 'bf16' }, "muon: precision must be 'full', because method is 'polar', got 'bf16'"],
    [{ method: 'polar', table: 'cans' }, "muon: table must be left out, because method is 'polar', got 'cans'"],
    [{ splits: [] }, 'muon: splits must be a list of sizes, got []'],
    [{ splits: { qkv: [2, 0] } }, "muon: splits['qkv'] must be an integer >= 1, got 0"],
    [{ heads: { qkv: 1.5 } }, "muon: heads['qkv'] must be an integer >= 1, got 1.5"],
    [{ side: 'rows' }, "muon: side must be one of 'outputs', 'inputs', got 'rows'"],
    [{ ns_steps: 5 }, "muon: there is no option 'ns_steps'"],
  ])('%j is refused', (options, message) => {
    expect(() => muon(options as MuonOptions)).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringContaining(message) }),
    )
  })
})
