// muP on real networks: two hidden layers of several widths in plain arrays, trained for a few steps by the rules of lib/optim.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Device, open } from '../../lib/device.js'
import { adamw, muon, Optimizer, type Parameter, type Rule, sgd, shampoo } from '../../lib/optim/index.js'
import {
  type Coordinates,
  coordinateCheck,
  type MupOptimizer,
  type MupRole,
  mup,
  rootMeanSquare,
} from '../../lib/schedule/index.js'
import { normal } from '../optim/random.js'

let device: Device
beforeAll(() => {
  device = open('cpu')
})
afterAll(() => device.dispose())

const INPUTS = 8
const OUTPUTS = 4
const BATCH = 16
const BASE = 16
const STEPS = 4
const SEEDS = [1, 2, 3, 4]

const shapesAt = (width: number): readonly (readonly [rows: number, columns: number, role: MupRole])[] => [
  [width, INPUTS, 'input'],
  [width, width, 'hidden'],
  [OUTPUTS, width, 'head'],
]

type Batch = readonly (readonly number[])[]

/** Rows of x times W^T, W of rows x columns. */
function linear(x: Batch, w: ArrayLike<number>, rows: number, columns: number): number[][] {
  return x.map((sample) =>
    Array.from({ length: rows }, (_, i) => {
      let sum = 0
      for (let j = 0; j < columns; j++) sum += w[i * columns + j]! * sample[j]!
      return sum
    }),
  )
}

const relu = (x: Batch) => x.map((sample) => sample.map((value) => Math.max(0, value)))

/** What comes out of each layer before its nonlinearity. */
function forward(weights: readonly ArrayLike<number>[], width: number, x: Batch): Batch[] {
  const outputs: Batch[] = []
  shapesAt(width).forEach(([rows, columns], layer) => {
    outputs.push(linear(layer === 0 ? x : relu(outputs[layer - 1]!), weights[layer]!, rows, columns))
  })
  return outputs
}

/** Gradients of the mean squared error. */
function backward(weights: readonly ArrayLike<number>[], width: number, x: Batch, targets: Batch): Float32Array[] {
  const shapes = shapesAt(width)
  const outputs = forward(weights, width, x)
  let delta: Batch = outputs[2]!.map((sample, n) => sample.map((value, i) => (value - targets[n]![i]!) / BATCH))
  const gradients: Float32Array[] = []
  for (let layer = 2; layer >= 0; layer--) {
    const [rows, columns] = shapes[layer]!
    const below = layer === 0 ? x : relu(outputs[layer - 1]!)
    const gradient = new Float32Array(rows * columns)
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        gradient[i * columns + j] = delta.reduce((sum, sample, n) => sum + sample[i]! * below[n]![j]!, 0)
      }
    }
    gradients.unshift(gradient)
    const above = delta
    delta = below.map((sample, n) =>
      sample.map((_, j) => {
        if (layer === 0 || outputs[layer - 1]![n]![j]! <= 0) return 0
        return above[n]!.reduce((sum, value, i) => sum + value * weights[layer]![i * columns + j]!, 0)
      }),
    )
  }
  return gradients
}

interface Training {
  readonly rule: () => Rule
  readonly lr: number
  /** Undefined: the same learning rate and the usual 1 / sqrt(fan-in) at every width. */
  readonly optimizer: MupOptimizer | undefined
}

/** Root mean squares of the change of every layer's output since the start, after each step, averaged over seeds. */
function train(width: number, { rule, lr, optimizer }: Training): Coordinates {
  const sizes = [0, 1, 2].map(() => new Array<number>(STEPS).fill(0))
  for (const seed of SEEDS) {
    const next = normal(seed)
    const draw = (rows: number, columns: number, scale: number) =>
      Array.from({ length: rows }, () => Array.from({ length: columns }, () => scale * next()))
    const x = draw(BATCH, INPUTS, 1)
    const targets = draw(BATCH, OUTPUTS, 1)
    const groups = shapesAt(width).map(([rows, columns, role], layer) => {
      const [baseRows, baseColumns] = shapesAt(BASE)[layer]!
      const base = [baseRows, baseColumns]
      const factors = optimizer === undefined ? undefined : mup({ optimizer, role, base, shape: [rows, columns] })
      const spread = factors === undefined ? 1 / Math.sqrt(columns) : factors.initialization / Math.sqrt(baseColumns)
      const value = Float32Array.from(draw(rows, columns, spread).flat())
      const params: Parameter[] = [{ name: `layer ${layer}`, shape: [rows, columns], value }]
      return { params, rule: rule(), lr: lr * (factors?.lr ?? 1) }
    })
    const weights = groups.map(({ params }) => params[0]!.value)
    const start = forward(weights, width, x).map((layer) => layer.flat())
    const trainer = new Optimizer(device, groups)
    for (let step = 0; step < STEPS; step++) {
      trainer.step(backward(weights, width, x, targets))
      forward(weights, width, x).forEach((layer, index) => {
        sizes[index]![step]! += rootMeanSquare(layer.flat(), start[index]!) / SEEDS.length
      })
    }
    trainer.dispose()
  }
  return { first: sizes[0]!, hidden: sizes[1]!, output: sizes[2]! }
}

const WIDTHS = [16, 32, 64, 128]
const slopes = (training: Training) => coordinateCheck(WIDTHS, (width) => train(width, training))

describe('coordinate check of small networks', () => {
  test.each<[MupOptimizer, Omit<Training, 'optimizer'>, number]>([
    ['adam', { rule: () => adamw(), lr: 5e-3 }, 0.8],
    ['sgd', { rule: () => sgd(), lr: 0.1 }, 0.3],
    ['muon', { rule: () => muon(), lr: 0.02 }, 0.3],
    ['shampoo', { rule: () => shampoo({ merge: 'none', beta1: 0 }), lr: 0.02 }, 0.3],
  ])('%s: under muP changes do not grow with width, under the standard one they do', (optimizer, training, growth) => {
    const found = slopes({ ...training, optimizer })
    expect(found.length).toBe(3 * STEPS)
    for (const { name, step, slope } of found) {
      expect(slope, `${name}, step ${step}`).toBeLessThan(0.1)
      // Narrow networks see finite-width corrections of a head that starts at 1 / width.
      expect(slope, `${name}, step ${step}`).toBeGreaterThan(name === 'output' ? -0.55 : -0.35)
    }
    const standard = slopes({ ...training, optimizer: undefined })
    expect(Math.max(...standard.map(({ slope }) => slope))).toBeGreaterThan(growth)
  })
})

describe('coordinateCheck', () => {
  test('fits powers of the width', () => {
    const sizes = (width: number) => ({ flat: [3, 3], root: [Math.sqrt(width), 2 * width] })
    const found = coordinateCheck([10, 20, 80], sizes)
    expect(found.map(({ name, step }) => [name, step])).toEqual([
      ['flat', 1],
      ['flat', 2],
      ['root', 1],
      ['root', 2],
    ])
    expect(found.map(({ slope }) => Math.round(1e9 * slope) / 1e9 + 0)).toEqual([0, 0, 0.5, 1])
    expect(found[3]!.sizes).toEqual([20, 40, 160])
  })

  test('root mean squares, also of changes', () => {
    expect(rootMeanSquare([3, -3, 3, 3])).toBe(3)
    expect(rootMeanSquare([5, 1], [1, 1])).toBeCloseTo(Math.sqrt(8), 12)
    expect(rootMeanSquare([])).toBe(0)
  })

  test('refuses', () => {
    expect(() => coordinateCheck([8], () => ({}))).toThrow(
      'coordinateCheck: widths must be two or more widths, ascending',
    )
    expect(() => coordinateCheck([8, 8], () => ({}))).toThrow('ascending, got [8, 8]')
    expect(() => coordinateCheck([8, 16], (width) => (width === 8 ? { a: [1] } : {}))).toThrow(
      'at width 16 the size of a in step 1 must be a finite number > 0, got undefined',
    )
  })
})
