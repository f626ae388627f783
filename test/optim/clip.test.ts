import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Device, open } from '../../lib/device.js'
import {
  adamw,
  type GroupOptions,
  Optimizer,
  type OptimizerOptions,
  type Parameter,
  sgd,
} from '../../lib/optim/index.js'

let device: Device
beforeAll(() => {
  device = open('cpu')
})
afterAll(() => {
  expect(device.memory().tensors).toBe(0)
  device.dispose()
})

/** What two parameters of two elements, at zero, are after steps with these gradients. */
function after(
  gradients: readonly (readonly number[])[][],
  group: Partial<GroupOptions> = {},
  options: OptimizerOptions = {},
): number[][] {
  const params: Parameter[] = ['a', 'b'].map((name) => ({ name, shape: [2], value: new Float32Array(2) }))
  const optimizer = new Optimizer(device, [{ params, rule: sgd(), lr: 1, ...group }], options)
  for (const list of gradients) optimizer.step(list.map((gradient) => Float32Array.from(gradient)))
  optimizer.dispose()
  return params.map(({ value }) => [...value])
}

const near = (rows: readonly (readonly number[])[]) => rows.map((row) => row.map((value) => expect.closeTo(value, 5)))

describe('clipNorm', () => {
  test('gradients longer than the bound are scaled together, shorter ones not at all', () => {
    // |(3, 0, 0, 4)| = 5.
    expect(
      after(
        [
          [
            [3, 0],
            [0, 4],
          ],
        ],
        {},
        { clipNorm: 1 },
      ),
    ).toEqual(
      near([
        [-0.6, 0],
        [0, -0.8],
      ]),
    )
    expect(
      after(
        [
          [
            [3, 0],
            [0, 4],
          ],
        ],
        {},
        { clipNorm: 5 },
      ),
    ).toEqual([
      [-3, 0],
      [0, -4],
    ])
  })

  test('the bound may change, and what the caller gave does not', () => {
    const gradients = [Float32Array.of(3, 0), Float32Array.of(0, 4)]
    const params: Parameter[] = ['a', 'b'].map((name) => ({ name, shape: [2], value: new Float32Array(2) }))
    const optimizer = new Optimizer(device, [{ params, rule: sgd(), lr: 1 }], { clipNorm: (step) => step })
    optimizer.step(gradients)
    optimizer.step(gradients)
    expect(gradients).toEqual([Float32Array.of(3, 0), Float32Array.of(0, 4)])
    expect(params.map(({ value }) => [...value])).toEqual(
      near([
        [-1.8, 0],
        [0, -2.4],
      ]),
    )
    optimizer.dispose()
  })

  test('adamw sees the clipped gradient: its first step is the sign all the same', () => {
    expect(
      after(
        [
          [
            [3, 0],
            [0, 4],
          ],
        ],
        { rule: adamw() },
        { clipNorm: 0.1 },
      ),
    ).toEqual(
      near([
        [-1, 0],
        [0, -1],
      ]),
    )
  })
})

describe('clip of updates', () => {
  test('rms: each direction by itself', () => {
    // RMS of (3, 4) is 5 / sqrt(2); of (0.1, 0.1) it is 0.1.
    const factor = Math.SQRT2 / 5
    expect(
      after(
        [
          [
            [3, 4],
            [0.1, 0.1],
          ],
        ],
        { clip: { rms: 1 } },
      ),
    ).toEqual(
      near([
        [-3 * factor, -4 * factor],
        [-0.1, -0.1],
      ]),
    )
  })

  test('kl: all directions of the group by sqrt(kappa / sum lr^2 <D, G>)', () => {
    // lr 0.5: sum = 0.25 (25 + 0) = 6.25; sqrt(1 / 6.25) = 0.4.
    expect(
      after(
        [
          [
            [3, 4],
            [0, 0],
          ],
        ],
        { lr: 0.5, clip: { kl: 1 } },
      ),
    ).toEqual(
      near([
        [-0.6, -0.8],
        [0, 0],
      ]),
    )
    expect(
      after(
        [
          [
            [3, 4],
            [0, 0],
          ],
        ],
        { lr: 0.5, clip: { kl: 7 } },
      ),
    ).toEqual(
      near([
        [-1.5, -2],
        [0, 0],
      ]),
    )
  })

  test('weight decay is not clipped', () => {
    const params: Parameter[] = [{ name: 'a', shape: [2], value: Float32Array.of(10, 10) }]
    const optimizer = new Optimizer(device, [{ params, rule: sgd(), lr: 1, weightDecay: 0.1, clip: { rms: 1 } }])
    optimizer.step([Float32Array.of(4, 4)])
    expect([...params[0]!.value]).toEqual([8, 8])
    optimizer.dispose()
  })
})

describe('options', () => {
  test.each<[object, OptimizerOptions, string]>([
    [{ clip: { norm: 1 } }, {}, "group 0: clip: there is no option 'norm'; there are rms, kl"],
    [{ clip: {} }, {}, 'group 0: clip must be an object with one of rms, kl'],
    [{ clip: { rms: 0 } }, {}, 'group 0: clip.rms must be a finite number > 0, got 0'],
    [{}, { clipNorm: -1 }, 'Optimizer: clipNorm must be a finite number > 0, got -1'],
    [{}, { memoryCap: 0 }, 'Optimizer: memoryCap must be a finite number > 0, got 0'],
  ])('%j %j is refused', (group, options, message) => {
    expect(() => after([], group, options)).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringContaining(message) }),
    )
  })
})
