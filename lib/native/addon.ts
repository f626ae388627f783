import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { type ErrorCode, KronrootError } from '../errors.js'
import { directory, load } from './anchor.cjs'

/**
 * What the native module exports. `device` is the JavaScript object itself, to which `openDevice` attaches the native half;
 * with `plugin`, the path of a shared library, that one is the backend.
 * Tensors are numbers that `createTensor` gives. Every function throws an Error with a `code` of {@link ErrorCode}.
 */
export interface Addon {
  /** Names of the ops; the index is the number that `call` and `submit` take. */
  readonly operations: readonly string[]
  openDevice(
    device: object,
    backend: string,
    ordinal: number,
    threads: number,
    isa: string | undefined,
    stream?: bigint,
    plugin?: string,
  ): { name: string; isa: string; threads: number; stream: bigint }
  /** `free` and `total` where the device has memory of its own. */
  deviceMemory(device: object): { bytes: number; tensors: number; free?: number; total?: number }
  /** Resolves when everything enqueued so far is done. */
  synchronizeDevice(device: object): Promise<void>
  /** Closes the device and lets go of the memory of all its tensors. */
  disposeDevice(device: object): void
  /**
   * The number of a new tensor, which is disposed when the object `tensor` is collected, if not before. dtype: 0 f32, 1 f64.
   * zeroed: 0 or 1.
   */
  createTensor(
    tensor: object,
    device: object,
    dtype: number,
    batch: number,
    rows: number,
    cols: number,
    zeroed: number,
  ): number
  /** The same over memory of somebody else. */
  wrapTensor(
    tensor: object,
    device: object,
    dtype: number,
    batch: number,
    rows: number,
    cols: number,
    pointer: bigint,
  ): number
  tensorPointer(tensor: number): bigint
  writeTensor(tensor: number, data: Float32Array | Float64Array): void
  readTensor(tensor: number, into: Float32Array | Float64Array): void
  /** The elements, read off this thread. */
  downloadTensor(tensor: number): Promise<ArrayBuffer>
  disposeTensor(tensor: number): void
  /**
   * elementwise_update of ops.h. kind: kr_update; arrays: gradient, m, v, vMax, direction, w of each entry, null where
   * absent; numbers: the fourteen of kr_update_array for each; finite: one flag each, written.
   */
  updateArrays(
    device: object,
    kind: number,
    dtype: number,
    arrays: readonly NativeArgument[],
    numbers: Float64Array,
    finite: Int32Array,
  ): void
  /** reduce of ops.h. kind: kr_reduction; arrays: x, y of each entry, y null where absent; results: one each, written. */
  reduceArrays(
    device: object,
    kind: number,
    dtype: number,
    arrays: readonly NativeArgument[],
    results: Float64Array,
  ): void
  /**
   * call(number, ...operands, failed, ...options): operands in the order of native/addon/operations.cpp, null where absent;
   * failed = 1 fills the outputs of failed matrices with NaN, 0 leaves them. Gives the kr_report records; a single one in
   * `record`. On a device with memory of its own the call has only enqueued, and the records stay there.
   */
  call(operation: number, ...rest: readonly NativeArgument[]): ArrayBuffer | UnreadReports | undefined
  /** Waits for the records and gives their memory back. Once. */
  readReports(reports: UnreadReports): ArrayBuffer
  /** As `call`, off this thread: [number for `cancel`, promise of the records]. */
  submit(
    operation: number,
    ...rest: readonly NativeArgument[]
  ): readonly [number: number, done: Promise<ArrayBuffer | undefined>]
  cancel(number: number): void
  /** Where `call` puts the kr_report of a single matrix, until the next call. */
  readonly record: ArrayBuffer
}

/** The records of `count` matrices in the memory of the device, for readReports. */
export interface UnreadReports {
  readonly count: number
}

export type NativeArgument = object | number | null

const remedy =
  'Build it with `npm rebuild kronroot` (in a checkout: `npm run build:native`); this needs python3, make and a C++20 ' +
  'compiler (g++ >= 11). If npm blocked the install script, run `npm approve-scripts kronroot` first.'

/** The root of the package: the nearest directory above this file that holds binding.gyp. */
export function packageRoot(): string {
  let at = directory
  while (!existsSync(join(at, 'binding.gyp'))) {
    const above = dirname(at)
    if (above === at) return directory
    at = above
  }
  return at
}

/** Where the native module is looked for: `KRONROOT_BINARY` when set, else build/Release of the package. */
export function addonFile(): string {
  const chosen = process.env.KRONROOT_BINARY
  return chosen ? resolve(chosen) : join(packageRoot(), 'build', 'Release', 'kronroot.node')
}

function loadAddon(): Addon {
  const file = addonFile()
  if (!existsSync(file)) {
    throw new KronrootError('ERR_ADDON_MISSING', `the native addon of kronroot is not at ${file}. ${remedy}`)
  }
  try {
    return load(file) as Addon
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new KronrootError(
      'ERR_ADDON_MISSING',
      `the native addon of kronroot at ${file} could not be loaded: ${why}. ${remedy}`,
      { cause },
    )
  }
}

let loaded: Addon | undefined

/** The native module, loaded on first use. Throws ERR_ADDON_MISSING with the remedy where it is not built. */
export function addon(): Addon {
  loaded ??= loadAddon()
  return loaded
}

/** An error thrown by the native module as a KronrootError; anything else as it is. */
export function translated(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof KronrootError) return error
  const { code } = error as { code?: unknown }
  if (typeof code !== 'string' || !code.startsWith('ERR_')) return error
  return new KronrootError(code as ErrorCode, error.message)
}
