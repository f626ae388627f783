// Second-order rules on a cuda device against the CPU, with states that move between them. Without a GPU on the emulated plugin
// (KRONROOT_CUDA_PLUGIN), without either skipped.
import { afterAll, describe, expect, it } from 'vitest'
import { type Device, KronrootError, open } from '../../lib/index.js'
import { Optimizer, type OptimizerState } from '../../lib/optim/index.js'
import { quadraticOracle } from './oracle.js'
import { normal, normalArray } from './random.js'
import { SECOND_ORDER } from './rules/second-order.js'

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

const size = (shape: readonly number[]) => shape.reduce((product, dimension) => product * dimension, 1)

describe.skipIf(gpu === undefined).each(SECOND_ORDER)('$name on cuda', ({ make, shapes, lr }) => {
  const oracle = quadraticOracle((parameter, index) => 0.3 * parameter - 0.1 * index)
  /** Values after steps on the devices in turn, the state carried over; gradients are those of the oracle. */
  const run = (devices: readonly Device[]) => {
    const next = normal(1)
    const params = shapes.map((shape, index) => ({ name: `p${index}`, shape, value: normalArray(size(shape), next) }))
    let state: OptimizerState | undefined
    for (const device of devices) {
      using optimizer = new Optimizer(device, [{ params, rule: make(oracle), lr: 0.3 * lr }])
      if (state !== undefined) optimizer.loadStateDict(state)
      const gradients = oracle.gradient(params.map(({ value }) => value)).map((gradient) => Float32Array.from(gradient))
      optimizer.step(gradients.map((gradient, index) => (optimizer.steps === 2 && index === 1 ? null : gradient)))
      state = structuredClone(optimizer.stateDict())
    }
    return params.flatMap(({ value }) => Array.from(value))
  }

  it('moves parameters as on the CPU, from device to device, and gives its memory back', () => {
    const before = gpu!.memory()
    const expected = run([cpu, cpu, cpu, cpu, cpu])
    for (const devices of [
      [gpu!, gpu!, gpu!, gpu!, gpu!],
      [cpu, gpu!, cpu, gpu!, gpu!],
    ]) {
      const actual = run(devices)
      const worst = actual.reduce((most, value, index) => Math.max(most, Math.abs(value - expected[index]!)), 0)
      expect(worst).toBeLessThan(1e-3)
    }
    expect(gpu!.memory()).toMatchObject({ bytes: before.bytes, tensors: before.tensors })
  })
})
