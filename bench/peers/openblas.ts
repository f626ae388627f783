// OpenBLAS, loaded at bench time by the bench addon (bench/peers/native): one thread inside, one matrix per thread over
// the batch. Routes are what a user of it would write.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'

export type Floats = Float32Array | Float64Array

export interface OpenblasInfo {
  readonly file: string
  /** Kernels it chose for this machine. */
  readonly core: string
  readonly config: string
}

/** The bench addon; all arrays of a call have one type, and the batch is the leading dimension. */
export interface BenchNative {
  open(file: string, threads: number): OpenblasInfo
  /** flop/s of `threads` threads of multiply-adds; 16 bits are bf16 with f32 sums. 0 where there are no such instructions. */
  peak(isa: string, bits: 16 | 32 | 64, threads: number, seconds: number): number
  /** 1: later calls run on the caller's thread alone; 0: on all threads again. */
  setAlone(alone: 0 | 1): void
  gemm(a: Floats, b: Floats, c: Floats, m: number, n: number, k: number, batch: number): void
  /** Eigenvector j in row j of `vectors`. */
  eigh(a: Floats, values: Floats, vectors: Floats, n: number, batch: number): void
  /** V diag(max(w, 0) + ridge w_max)^exponent V^T. */
  inverseRoot(a: Floats, x: Floats, n: number, batch: number, exponent: number, ridge: number): void
  /** potrf and potri, both triangles. */
  spdInverse(a: Floats, x: Floats, n: number, batch: number): void
  /** Columns of Q in rows of `q`; R in the rows of `r` [n, m] up to the diagonal; m >= n. */
  qr(a: Floats, q: Floats, r: Floats, m: number, n: number, batch: number): void
  /** Left singular vector j in column j of `u`, right ones in rows of `v`, square matrices. */
  svd(a: Floats, s: Floats, u: Floats, v: Floats, n: number, batch: number): void
  /** Descending, of square matrices. */
  singularValues(a: Floats, s: Floats, n: number, batch: number): void
  /** L X = B, B n x columns, the lower triangle of `l`. */
  triangularSolve(l: Floats, b: Floats, x: Floats, n: number, columns: number, batch: number): void
  newtonSchulz(
    a: Floats,
    x: Floats,
    rows: number,
    cols: number,
    batch: number,
    triples: Float64Array,
    steps: number,
  ): void
}

export interface OpenblasPeer {
  readonly info: OpenblasInfo
  readonly native: BenchNative
}

/** Where Debian and Ubuntu put the pthread variant, before whatever the alternatives system made the default. */
const candidates = [
  '/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblas.so.0',
  '/usr/lib/aarch64-linux-gnu/openblas-pthread/libopenblas.so.0',
  'libopenblas.so.0',
]

/** What OpenBLAS falls back to on a processor newer than itself; a race against it would say nothing. */
const oldestCore = 'Prescott'
const chooseCore = 'To choose others: KRONROOT_OPENBLAS_CORE=SkylakeX (AVX-512) or Haswell (AVX2)'

/** The bench addon, where scripts/bench.mjs could build it. */
export function loadNative(file: string | undefined): BenchNative | undefined {
  return file && existsSync(file) ? (createRequire(import.meta.url)(file) as BenchNative) : undefined
}

/**
 * The peer, or undefined after one line that says why and how to get it.
 * @param library one file to load instead of the usual places
 * @param core the kernels that it is to take instead of its own choice, as in OPENBLAS_CORETYPE
 */
export function connect(
  native: BenchNative | undefined,
  threads: number,
  log: (line: string) => void,
  library?: string,
  core?: string,
): OpenblasPeer | undefined {
  if (!native) {
    log('openblas: no peer, because the bench addon was not built (it needs python3, make and g++)')
    return undefined
  }
  // It reads OPENBLAS_CORETYPE, OPENBLAS_L2_SIZE and others when it is loaded. Whatever they are set to for other
  // programs, the peer runs with the kernels that it picks for this machine itself, or those named for the bench.
  for (const name of Object.keys(process.env)) if (name.startsWith('OPENBLAS_')) delete process.env[name]
  if (core) process.env.OPENBLAS_CORETYPE = core
  const reasons: string[] = []
  for (const file of library ? [library] : candidates.filter((name) => !name.startsWith('/') || existsSync(name))) {
    try {
      const info = native.open(file, threads)
      if (info.core !== oldestCore || core) return { info, native }
      log(`openblas: no peer, because ${file} does not know this processor and takes its SSE kernels. ${chooseCore}`)
      return undefined
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error))
    }
  }
  log(`openblas: no peer (${reasons.join('; ')}). To compare with it: apt-get install libopenblas0-pthread`)
  return undefined
}
