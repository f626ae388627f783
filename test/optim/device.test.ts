// Optimizers on a cuda device against the CPU: the same steps, states that move between them, and memory that runs out.
// Without a GPU on the emulated plugin (KRONROOT_CUDA_PLUGIN), without either skipped.
import { afterAll, describe, expect, it } from 'vitest'
import { type Device, KronrootError, open } from '../../lib/index.js'
import {
  accumulate,
  adafactor,
  adamuon,
  adamw,
  asgo,
  diffgrad,
  dion,
  dog,
  eigenvalueCorrectedShampoo,
  entropySgd,
  klShampoo,
  klSoap,
  lamb,
  lookahead,
  mars,
  modularNorm,
  muon,
  normuon,
  Optimizer,
  type OptimizerState,
  optAmsgrad,
  type Parameter,
  primalAveraging,
  type Rule,
  sam,
  scheduleFree,
  sgd,
  shampoo,
  soap,
  spectralDescent,
  swats,
  vrgd,
  xgrad,
} from '../../lib/optim/index.js'

import type { ParameterArray } from '../../lib/precondition/arrays.js'
import { Tensor } from '../../lib/tensor.js'
import { normal, normalArray } from './random.js'

function cuda(): Device | undefined {
  try {
    return open('cuda')
  } catch (error) {
    if (error instanceof KronrootError && error.code === 'ERR_NO_DEVICE') return undefined
    throw error
  }
}

const gpu = cuda()
const cpu = open('cpu', { threads: 1 })
afterAll(() => {
  gpu?.dispose()
  cpu.dispose()
})

/** Of f = |W|^2 / 4. */
const gradientAt = (values: readonly Float32Array[]) => values.map((value) => value.map((w) => w / 2))

const rules: Record<string, () => Rule> = {
  adamw: () => adamw(),
  'sgd with Nesterov momentum': () => sgd({ momentum: 0.9, nesterov: true }),
  diffgrad: () => diffgrad(),
  optAmsgrad: () => optAmsgrad({ history: 3 }),
  'swats, switching early': () => swats({ tolerance: 0.02 }),
  lamb: () => lamb(),
  dog: () => dog({ initial: 0.01 }),
  'adafactor with momentum': () => adafactor({ beta1: 0.9 }),
  muon: () => muon(),
  'muon without Nesterov': () => muon({ nesterov: false, scale: 'match-rms-adamw' }),
  'muon in blocks of columns': () => muon({ splits: { p0: [3, 2], p2: [3, 2] }, heads: { p3: 2 }, side: 'inputs' }),
  normuon: () => normuon(),
  adamuon: () => adamuon(),
  dion: () => dion({ rank: 2 }),
  spectralDescent: () => spectralDescent({ momentum: 0.9 }),
  modularNorm: () =>
    modularNorm({
      modules: {
        series: [
          { parameter: 'p0', role: 'hidden' },
          { parameter: 'p1', role: 'embedding' },
          { parameter: 'p2', role: 'head' },
          { parameter: 'p3', role: 'bias' },
        ],
      },
    }),
  // Blocks of 4 x 4 and less, matrices as one block, and a tensor of order 3.
  'shampoo in blocks': () => shampoo({ blockSize: 4, merge: 'none' }),
  'shampoo with averages, graft and momentum': () =>
    shampoo({ beta2: 0.95, merge: 'none', graft: 'adam', momentum: 0.9, nesterov: true, refresh: { every: 2 } }),
  'shampoo with its own weight of the output': () =>
    shampoo({ beta3: 0.5, graft: 'sgd', graftScope: 'layer', ridge: { relative: 1e-2 } }),
  'shampoo with diagonals, trace scaling and staggered refreshes': () =>
    shampoo({
      beta2: 0.9,
      merge: { target: 2 },
      sides: { largest: 5 },
      traceScaling: 0.5,
      graft: 'adam',
      refresh: { every: 2, staggered: true },
    }),
  'shampoo that keeps roots': () =>
    shampoo({ beta2: 0.99, merge: 'none', ridge: { relative: 1e-2 }, refresh: { tolerance: 0.1 } }),
  'shampoo with statistics in f64': () => shampoo({ merge: 'none', storage: 'f64', beta2: 0.9 }),
  'shampoo with statistics in bf16': () =>
    shampoo({ merge: 'none', storage: 'bf16', beta2: 0.9, ridge: { relative: 1e-1 } }),
  klShampoo: () => klShampoo({ merge: 'none', ridge: { relative: 1e-3 } }),
  'asgo in diagonals': () => asgo({ factor: 'diagonal' }),
  // One-sided: bases of null spaces are arbitrary, and two devices need not choose alike.
  soap: () => soap({ sides: { which: 'smallest' }, refresh: { every: 2 } }),
  klSoap: () => klSoap({ sides: { which: 'smallest' }, refresh: { every: 2 } }),
  'eigenvalue-corrected shampoo': () =>
    eigenvalueCorrectedShampoo({ merge: { target: 2 }, sides: { which: 'smallest' }, epsilon: 1e-4 }),
  'lookahead around XGrad': () => lookahead(xgrad(sgd()), { every: 2 }),
  'Schedule-Free around approximate MARS': () => scheduleFree(mars(sgd())),
  'primal averaging around VRGD': () =>
    primalAveraging(
      vrgd(sgd(), { variance: (specs) => specs.map(({ shape }) => new Float32Array(size(shape)).fill(2)) }),
    ),
  'SAM around exact MARS': () => sam(mars(sgd(), { gradientAt }), { gradientAt }),
  'Entropy-SGD around accumulation': () =>
    entropySgd(accumulate(sgd(), { every: 2 }), { gradientAt, steps: 3, gamma: 1 }),
}

const shapes = [
  [6, 5],
  [5, 6],
  [6, 5],
  [2, 3, 4],
]
const size = (shape: readonly number[]) => shape.reduce((product, dimension) => product * dimension, 1)

function parametersOn(device: Device | undefined): Parameter<ParameterArray>[] {
  const next = normal(1)
  return shapes.map((shape, index) => {
    const value = normalArray(size(shape), next)
    return { name: `p${index}`, shape, value: device === undefined ? value : device.tensor(value, shape) }
  })
}

/** Gradients of a step; the second parameter has none in the third step. */
function gradientsAt(step: number): (Float32Array | null)[] {
  const next = normal(100 + step)
  return shapes.map((shape, index) => {
    const gradient = normalArray(size(shape), next)
    return step === 3 && index === 1 ? null : gradient
  })
}

const valuesOf = (parameters: readonly Parameter<ParameterArray>[]) =>
  parameters.flatMap(({ value }) => Array.from(Tensor.isTensor(value) ? value.data() : value))

function optimizerOn(
  device: Device,
  parameters: readonly Parameter<ParameterArray>[],
  rule: Rule,
): Optimizer<ParameterArray> {
  return new Optimizer(device, [{ params: parameters, rule, lr: 0.05, weightDecay: 0.1, weightDecayMode: 'l2' }])
}

function expectNear(actual: readonly number[], expected: readonly number[], tolerance = 1e-4): void {
  expect(actual.length).toBe(expected.length)
  const worst = actual.reduce((most, value, index) => Math.max(most, Math.abs(value - expected[index]!)), 0)
  expect(worst).toBeLessThan(tolerance)
}

/** Steps `first` to `last`; with `onDevice` the gradients are tensors. */
function steps(optimizer: Optimizer<ParameterArray>, first: number, last: number, onDevice?: Device): void {
  for (let step = first; step <= last; step++) {
    const gradients = gradientsAt(step)
    const given = onDevice ? gradients.map((g) => g && onDevice.tensor(g, [g.length])) : gradients
    optimizer.step(given)
    for (const gradient of given) if (Tensor.isTensor(gradient)) gradient.dispose()
  }
}

function stateValues({ state }: OptimizerState): number[] {
  return Object.keys(state)
    .sort()
    .flatMap((key) => Array.from(state[key]!))
}

describe.skipIf(gpu === undefined).each(Object.entries(rules))('%s on cuda', (_, rule) => {
  it('moves parameters as on the CPU, in typed arrays or tensors', () => {
    const expected = parametersOn(undefined)
    const onCpu = optimizerOn(cpu, expected, rule())
    steps(onCpu, 1, 4)
    const before = gpu!.memory()
    for (const device of [undefined, gpu]) {
      const parameters = parametersOn(device)
      const optimizer = optimizerOn(gpu!, parameters, rule())
      steps(optimizer, 1, 4, device)
      expectNear(valuesOf(parameters), valuesOf(expected))
      expect(Object.keys(optimizer.stateDict().state)).toEqual(Object.keys(onCpu.stateDict().state))
      expectNear(stateValues(optimizer.stateDict()), stateValues(onCpu.stateDict()), 1e-3)
      const evaluated = optimizer.evaluation().flatMap((value) => Array.from(value))
      expectNear(
        evaluated,
        onCpu.evaluation().flatMap((value) => Array.from(value)),
      )
      optimizer.dispose()
      for (const { value } of parameters) if (Tensor.isTensor(value)) value.dispose()
      expect(gpu!.memory()).toMatchObject({ bytes: before.bytes, tensors: before.tensors })
    }
    onCpu.dispose()
  })

  it('goes on where another device stopped', () => {
    const straight = parametersOn(undefined)
    using whole = optimizerOn(cpu, straight, rule())
    steps(whole, 1, 6)
    const moving = parametersOn(undefined)
    let state: OptimizerState | undefined
    for (const [first, device] of [
      [1, gpu!],
      [3, cpu],
      [5, gpu!],
    ] as const) {
      using optimizer = optimizerOn(device, moving, rule())
      if (state !== undefined) optimizer.loadStateDict(state)
      steps(optimizer, first, first + 1)
      state = structuredClone(optimizer.stateDict())
    }
    expect(state!.step).toBe(6)
    expectNear(valuesOf(moving), valuesOf(straight))
    expectNear(stateValues(state!), stateValues(whole.stateDict()), 1e-3)
  })
})

describe.skipIf(gpu === undefined)('parameters on cuda', () => {
  it('refuses tensors of another device, with a name', () => {
    const value = cpu.tensor(new Float32Array(30), [6, 5])
    expect(
      () => new Optimizer(gpu!, [{ params: [{ name: 'w', shape: [6, 5], value }], rule: adamw(), lr: 1 }]),
    ).toThrow('w.value must be a Float32Array or an f32 tensor of the device')
    value.dispose()
  })

  it('skips a gradient that is not finite, and says so', () => {
    const parameters = parametersOn(gpu)
    using optimizer = optimizerOn(gpu!, parameters, shampoo())
    const before = valuesOf(parameters)
    const gradients = gradientsAt(1)
    gradients[0]![3] = Number.NaN
    optimizer.step(gradients)
    expect(optimizer.report().nonFinite).toEqual({ p0: 1 })
    expect(valuesOf(parameters).slice(0, 30)).toEqual(before.slice(0, 30))
    expect(valuesOf(parameters).slice(30)).not.toEqual(before.slice(30))
    for (const { value } of parameters) (value as Tensor).dispose()
  })
})
