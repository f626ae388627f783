// The machine block: what the numbers were measured on.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import type { Device } from '../lib/index.js'
import type { BenchNative, OpenblasInfo } from './peers/openblas.js'

/** By type of the operands; bf16 (with f32 sums) is null on a processor without a matrix unit for it. */
export interface Peak {
  readonly f32: number
  readonly f64: number
  readonly bf16: number | null
}

export interface Machine {
  readonly cpu: string
  readonly cores: number
  /** Threads used by our device and by the OpenBLAS peer. */
  readonly threads: number
  readonly isa: string
  readonly device: string
  readonly memoryBytes: number
  readonly platform: string
  readonly node: string
  readonly kronroot: string
  readonly commit: string | null
  readonly date: string
  /** Measured flop/s of multiply-adds in registers on all threads at once; null where the bench addon is not built. */
  readonly peak: Peak | null
  readonly openblas: OpenblasInfo | null
}

export function describeMachine(
  device: Device,
  native: BenchNative | undefined,
  openblas: OpenblasInfo | null,
): Machine {
  const all = cpus()
  return {
    cpu: all[0]?.model ?? 'unknown',
    cores: all.length,
    threads: device.threads,
    isa: device.isa,
    device: device.name,
    memoryBytes: totalmem(),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    kronroot: version(),
    commit: commit(),
    date: new Date().toISOString(),
    peak: native ? measurePeak(native, device.isa, device.threads) : null,
    openblas,
  }
}

function measurePeak(native: BenchNative, isa: string, threads: number): Machine['peak'] {
  const seconds = 0.25
  const f32 = native.peak(isa, 32, threads, seconds)
  const f64 = native.peak(isa, 64, threads, seconds)
  const bf16 = native.peak(isa, 16, threads, seconds)
  return f32 > 0 && f64 > 0 ? { f32, f64, bf16: bf16 > 0 ? bf16 : null } : null
}

function version(): string {
  return (JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version
}

function commit(): string | null {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return null
  }
}
