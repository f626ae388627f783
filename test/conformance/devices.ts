// The devices the conformance tests run on, the machine's best first: every instruction set of the CPU, or, where
// KRONROOT_TEST_DEVICE is 'cuda', the GPU alone (on a machine without one the emulated plugin, KRONROOT_CUDA_PLUGIN).
import { type Device, KronrootError, open } from '../../lib/index.js'

export interface TestDevice {
  readonly label: string
  /** Whether it is the emulator of test/simt, thousands of times slower than what it stands for. */
  readonly isEmulated?: boolean
  /** A fresh device; the caller disposes it. */
  open(options?: { threads?: number }): Device
}

const isas = ['amx', 'avx512', 'avx2', 'baseline'] as const

function cpus(): readonly TestDevice[] {
  const found = isas.filter((isa) => {
    try {
      open('cpu', { isa }).dispose()
      return true
    } catch (error) {
      // ERR_OPTION: the machine does not have it.
      const reasons = ['ERR_OPTION', 'ERR_NO_DEVICE', 'ERR_NOT_COMPILED']
      if (error instanceof KronrootError && reasons.includes(error.code)) return false
      throw error
    }
  })
  if (found.length === 0) throw new Error('no ISA of the cpu backend is available, not even baseline')
  // amx has the kernels of avx512, but for products of large matrices, which C++ tests compare.
  return found
    .filter((isa) => isa !== 'avx512' || !found.includes('amx'))
    .map((isa) => ({ label: `cpu ${isa}`, open: (options) => open('cpu', { ...options, isa }) }))
}

function cuda(): TestDevice {
  const device = open('cuda')
  const isEmulated = device.name.startsWith('emulated')
  device.dispose()
  return { label: 'cuda', isEmulated, open: (options) => open('cuda', options) }
}

function available(wanted: string | undefined): readonly TestDevice[] {
  if (!wanted || wanted === 'cpu') return cpus()
  if (wanted === 'cuda') return [cuda()]
  throw new Error(`KRONROOT_TEST_DEVICE must be 'cpu' or 'cuda', got '${wanted}'`)
}

const all = available(process.env.KRONROOT_TEST_DEVICE)

/** Every device under test, never none. */
export function devices(): readonly TestDevice[] {
  return all
}

/** The device that carries the full grids, and the others, which run subsets. */
export function devicesByRank(): { main: TestDevice; others: readonly TestDevice[] } {
  const [main, ...others] = all
  return { main: main!, others }
}

/** Whether the device under test can afford small grids only. */
export const isSlow = all.some(({ isEmulated }) => isEmulated)

/** A grid or a size in `full`; where the device is slow, `small`, with the same edges and classes of shapes. */
export function grid<T>(full: T, small: T): T {
  return isSlow ? small : full
}

/** The `sizes` of a grid; where the device is slow, those up to `most`. */
export function affordable(sizes: readonly number[], most: number): readonly number[] {
  return isSlow ? sizes.filter((size) => size <= most) : sizes
}
