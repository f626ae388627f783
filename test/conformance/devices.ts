// The devices the conformance tests run on, the machine's best first. A new backend joins by one more entry.
import { type Device, KronrootError, open } from '../../lib/index.js'

export interface TestDevice {
  readonly label: string
  /** A fresh device; the caller disposes it. */
  open(options?: { threads?: number }): Device
}

const isas = ['amx', 'avx512', 'avx2', 'baseline'] as const

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

// amx has the kernels of avx512, but for products of large matrices, which C++ tests compare.
const available = found.filter((isa) => isa !== 'avx512' || !found.includes('amx'))

/** Every device that this machine has, never none. */
export function devices(): readonly TestDevice[] {
  if (available.length === 0) throw new Error('no ISA of the cpu backend is available, not even baseline')
  return available.map((isa) => ({ label: `cpu ${isa}`, open: (options) => open('cpu', { ...options, isa }) }))
}

/** The device that carries the full grids, and the others, which run subsets. */
export function devicesByRank(): { main: TestDevice; others: readonly TestDevice[] } {
  const [main, ...others] = devices()
  return { main: main!, others }
}
