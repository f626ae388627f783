import { availableParallelism, cpus, release, totalmem, type } from 'node:os'

/** Where a run was measured: times mean nothing without it. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  readonly node: string
  readonly device: string
}

/** @param device what the kernels run on, in words, for example "cpu, avx512, 2 threads". */
export function describeMachine(device: string): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()} ${process.arch}`,
    node: process.version,
    device,
  }
}
