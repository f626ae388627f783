// Memory of the device that runs out in the middle of a step: the emulated plugin fails the k-th allocation
// (KRONROOT_SIMT_FAULTS, test/simt/control.hpp), for every k that a step of Shampoo makes. Skipped without that plugin.
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { KronrootError, open } from '../../lib/index.js'
import { Optimizer, shampoo } from '../../lib/optim/index.js'
import { normal, normalArray } from './random.js'

function emulated() {
  try {
    const device = open('cuda')
    if (device.name.startsWith('emulated')) return device
    device.dispose()
  } catch (error) {
    if (!(error instanceof KronrootError && error.code === 'ERR_NO_DEVICE')) throw error
  }
  return undefined
}

const gpu = emulated()
const cpu = open('cpu', { threads: 1 })
afterEach(() => {
  delete process.env.KRONROOT_SIMT_FAULTS
})
afterAll(() => {
  gpu?.dispose()
  cpu.dispose()
})

const shape = [6, 5]
// More than a step makes.
const mostAllocations = 100
const gradientAt = (step: number) => normalArray(30, normal(step))

function optimizerOn(device: typeof cpu) {
  const value = normalArray(30, normal(1))
  const rule = shampoo({ beta2: 0.9, merge: 'none', graft: 'adam', momentum: 0.9 })
  return { value, optimizer: new Optimizer(device, [{ params: [{ name: 'w', shape, value }], rule, lr: 0.1 }]) }
}

describe.skipIf(gpu === undefined)('a step of shampoo whose k-th allocation fails', () => {
  it('is refused by a typed error for every k, moves nothing, loses nothing, and succeeds from the state before', () => {
    const undisturbed = optimizerOn(gpu!)
    undisturbed.optimizer.step([gradientAt(1)])
    undisturbed.optimizer.step([gradientAt(2)])
    const { value, optimizer } = optimizerOn(gpu!)
    optimizer.step([gradientAt(1)])
    const before = { value: value.slice(), state: optimizer.stateDict(), memory: gpu!.memory() }
    let failures = 0
    let isLastRefused = true
    for (let k = 1; k <= mostAllocations; k++) {
      process.env.KRONROOT_SIMT_FAULTS = `allocation=${k}`
      let error: unknown
      try {
        optimizer.step([gradientAt(2)])
      } catch (thrown) {
        error = thrown
      }
      delete process.env.KRONROOT_SIMT_FAULTS
      expect(gpu!.memory()).toMatchObject({ bytes: before.memory.bytes, tensors: before.memory.tensors })
      expect(Array.from(cpu.tensor([k], [1, 1]).data())).toEqual([k])
      isLastRefused = error !== undefined
      if (isLastRefused) {
        failures++
        expect(error).toMatchObject({ code: 'ERR_OUT_OF_MEMORY' })
        expect(optimizer.steps).toBe(1)
        expect(value).toEqual(before.value)
      } else {
        // There are fewer, or a tensor found memory at the second try: the step of a run without faults, to the bit.
        expect(value).toEqual(undisturbed.value)
        expect(optimizer.stateDict()).toEqual(undisturbed.optimizer.stateDict())
      }
      value.set(before.value)
      optimizer.loadStateDict(before.state)
      expect(optimizer.stateDict()).toEqual(before.state)
    }
    expect(failures).toBeGreaterThan(10)
    expect(isLastRefused).toBe(false)
    undisturbed.optimizer.dispose()
    optimizer.dispose()
  })

  it('goes on without a state to load: the next step answers', () => {
    const { value, optimizer } = optimizerOn(gpu!)
    optimizer.step([gradientAt(1)])
    process.env.KRONROOT_SIMT_FAULTS = 'allocation=2'
    expect(() => optimizer.step([gradientAt(2)])).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_MEMORY' }))
    delete process.env.KRONROOT_SIMT_FAULTS
    const before = value.slice()
    optimizer.step([gradientAt(2)])
    expect(optimizer.steps).toBe(2)
    expect(value).not.toEqual(before)
    expect(value.every(Number.isFinite)).toBe(true)
    optimizer.dispose()
  })

  it('leaves nothing behind of an optimizer that could not be made', () => {
    const before = gpu!.memory()
    for (let k = 1; ; k++) {
      process.env.KRONROOT_SIMT_FAULTS = `allocation=${k}`
      let made: ReturnType<typeof optimizerOn> | undefined
      try {
        made = optimizerOn(gpu!)
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_OUT_OF_MEMORY' })
      }
      delete process.env.KRONROOT_SIMT_FAULTS
      made?.optimizer.dispose()
      expect(gpu!.memory()).toMatchObject({ bytes: before.bytes, tensors: before.tensors })
      if (made !== undefined) break
    }
  })
})
