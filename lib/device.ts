import { checkFields, KronrootError, shown } from './errors.js'
import { addon, translated } from './native/addon.js'
import { pluginFile } from './native/plugin.js'
import { checkBuffer, checkedShape, type DType, Tensor } from './tensor.js'

/** Which backend a device belongs to. */
export type DeviceKind = 'cpu' | 'reference' | 'cuda'

/** Instruction sets of the CPU backend, by name. 'amx' is 'avx512' with products of large matrices on the matrix unit. */
export type Isa = 'baseline' | 'avx2' | 'avx512' | 'amx'

export interface OpenOptions {
  /** Most threads one call uses. Default: `KRONROOT_THREADS`, else the number of cores. */
  readonly threads?: number | undefined
  /** CPU only: the instruction set. Default: `KRONROOT_ISA`, else the best that the machine has. */
  readonly isa?: Isa | undefined
  /**
   * CUDA only: a `cudaStream_t` of another library in the process, in whose order everything runs. It must belong to the
   * device's primary context and outlive the device. Default: a stream of the device's own.
   */
  readonly stream?: bigint | undefined
}

export interface TensorOptions {
  /** Element type. Default: that of a typed array; 'f32' for plain numbers and for `empty`. */
  readonly dtype?: DType | undefined
}

export interface DeviceMemory {
  /** Held by tensors. */
  readonly bytes: number
  readonly tensors: number
  /** CUDA only: bytes that nobody holds. */
  readonly free?: number
  /** CUDA only: bytes of the device. */
  readonly total?: number
}

const isas: readonly Isa[] = ['baseline', 'avx2', 'avx512', 'amx']

/** An open device; see {@link open}. */
export class Device {
  readonly kind: DeviceKind
  /** Of the hardware, for example 'AMD EPYC 9654'. */
  readonly name: string
  /** The instruction set in use, for example 'avx512'. */
  readonly isa: string
  /** Most threads one call uses. */
  readonly threads: number
  /** CUDA only: the `cudaStream_t` that everything is enqueued on. */
  readonly stream: bigint | undefined
  /** Why this device was chosen. */
  readonly reason: string
  #disposed = false

  /** @internal Use {@link open}. */
  constructor(kind: DeviceKind, ordinal: number, options: OpenOptions, reason: string) {
    this.kind = kind
    this.reason = reason
    try {
      const plugin = kind === 'cuda' ? pluginFile() : undefined
      const { threads = 0, isa, stream } = options
      const info = addon().openDevice(this, kind, ordinal, threads, isa, stream, plugin)
      this.name = info.name
      this.isa = info.isa
      this.threads = info.threads
      this.stream = kind === 'cuda' ? info.stream : undefined
    } catch (error) {
      throw translated(error)
    }
  }

  /**
   * A tensor of this shape with a copy of `data`.
   *
   * @param data as many elements as the shape has, row-major. Other typed arrays than Float32Array and Float64Array are
   *   refused, and so are views of resizable or detached buffers; subarrays and SharedArrayBuffers are fine.
   * @param shape `[..., m, n]`, integers >= 0
   * @param options.dtype default: the type of the typed array, 'f32' for plain numbers. Another one converts.
   * @throws KronrootError ERR_SHAPE, ERR_DTYPE, ERR_BUFFER, ERR_ARGUMENT, ERR_OUT_OF_MEMORY, ERR_DISPOSED
   */
  tensor(
    data: Float32Array | Float64Array | readonly number[],
    shape: readonly number[],
    options: TensorOptions = {},
  ): Tensor {
    this.#check('tensor')
    const checked = checkedShape(shape)
    const plain = Array.isArray(data)
    if (!plain) checkBuffer('data', data)
    const dtype = checkedDType(options) ?? (data instanceof Float64Array ? 'f64' : 'f32')
    let size = 1
    for (let i = 0; i < checked.length; i++) size *= checked[i]!
    if (data.length !== size) {
      const hint = data.length === 0 ? ' (the view of a transferred buffer has none)' : ''
      throw new KronrootError(
        'ERR_BUFFER',
        `data has ${data.length} elements${hint}, the shape ${shown(checked)} needs ${size}`,
      )
    }
    const wanted = dtype === 'f32' ? Float32Array : Float64Array
    const elements = data instanceof wanted ? data : new wanted(plain ? checkedNumbers(data) : data)
    const tensor = Tensor.allocate(this, checked, dtype, false)
    try {
      tensor.write(elements)
    } catch (error) {
      tensor.dispose()
      throw error
    }
    return tensor
  }

  /**
   * A tensor of zeros.
   * @param shape `[..., m, n]`, integers >= 0
   * @param options.dtype default 'f32'
   * @throws KronrootError ERR_SHAPE, ERR_DTYPE, ERR_OUT_OF_MEMORY, ERR_DISPOSED
   */
  empty(shape: readonly number[], options: TensorOptions = {}): Tensor {
    this.#check('empty')
    return Tensor.allocate(this, checkedShape(shape), checkedDType(options) ?? 'f32', true)
  }

  /**
   * A tensor over memory of this device that somebody else has allocated and keeps (on the CPU: memory of the process): it is
   * neither copied, nor given back, nor counted in `memory().bytes`. Nothing checks that `pointer` is what it should be, and
   * a wrong one ends the process. What others do there has to follow the order of `device.stream`.
   *
   * @param pointer address of the first element, a multiple of the element's size
   * @param shape `[..., m, n]`, integers >= 0, row-major and without gaps
   * @param options.dtype default 'f32'
   * @throws KronrootError ERR_ARGUMENT, ERR_SHAPE, ERR_DTYPE, ERR_DISPOSED
   */
  wrap(pointer: bigint, shape: readonly number[], options: TensorOptions = {}): Tensor {
    this.#check('wrap')
    if (typeof pointer !== 'bigint' || pointer <= 0n || pointer >= 2n ** 64n) {
      throw new KronrootError('ERR_ARGUMENT', `wrap: pointer must be a bigint above 0, got ${shown(pointer)}`)
    }
    return Tensor.wrap(this, checkedShape(shape), checkedDType(options) ?? 'f32', pointer)
  }

  /**
   * Resolves when everything is done that calls so far have enqueued on a `cuda` device; rejects with the error of that work,
   * if it had one. On other devices synchronous calls are done when they return.
   * @throws KronrootError (the promise rejects) ERR_DEVICE_LOST, ERR_DISPOSED
   */
  async synchronize(): Promise<void> {
    this.#check('synchronize')
    try {
      await addon().synchronizeDevice(this)
    } catch (error) {
      throw translated(error)
    }
  }

  /**
   * What this device's tensors hold: bytes and how many. Memory of a disposed tensor that an asynchronous call still uses
   * counts until that call ends. Zero after `dispose()`. On a `cuda` device also what is free and what there is in all, for
   * all its users.
   * @throws KronrootError ERR_DEVICE_LOST
   */
  memory(): DeviceMemory {
    if (this.#disposed) return { bytes: 0, tensors: 0 }
    try {
      return addon().deviceMemory(this)
    } catch (error) {
      throw translated(error)
    }
  }

  /** Whether `dispose()` was called. */
  get disposed(): boolean {
    return this.#disposed
  }

  /** Closes the device and disposes all its tensors. Asynchronous calls in flight end as they would. May be called again. */
  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    addon().disposeDevice(this)
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  #check(method: string): void {
    if (this.#disposed) throw new KronrootError('ERR_DISPOSED', `${method}: the device was disposed`)
  }
}

/**
 * Opens a device.
 *
 * - `'auto'` (default): `'cuda'` if it opens, else `'cpu'`; `device.reason` says why.
 * - `'cpu'`: SIMD kernels and a thread pool shared by all devices and workers of the process.
 * - `'reference'`: plain loops in f64, the oracle of the tests.
 * - `'cuda'`, `'cuda:1'`: an NVIDIA GPU, by its ordinal among those that CUDA_VISIBLE_DEVICES leaves. Needs the plugin
 *   (`npm run build:cuda`), docs/cuda.md.
 *
 * @throws KronrootError ERR_NO_DEVICE, saying what is missing; ERR_OPTION, ERR_OUT_OF_MEMORY, ERR_ADDON_MISSING
 */
export function open(name: 'auto' | DeviceKind | `cuda:${number}` = 'auto', options: OpenOptions = {}): Device {
  const { threads, isa, stream } = checkedOpenOptions(options)
  const ordinal = typeof name === 'string' ? /^cuda(?::(\d{1,4}))?$/.exec(name) : null
  if (ordinal) {
    if (isa !== undefined) throw new KronrootError('ERR_OPTION', `open: isa is for 'cpu', ${name} has its own`)
    return new Device('cuda', Number(ordinal[1] ?? 0), { threads, stream }, 'asked for')
  }
  if (stream !== undefined) throw new KronrootError('ERR_OPTION', `open: stream is for 'cuda', got name ${shown(name)}`)
  if (name === 'auto') return best(threads, isa)
  if (name === 'cpu') return new Device('cpu', 0, { threads, isa }, 'asked for')
  if (name === 'reference') {
    if (isa !== undefined) throw new KronrootError('ERR_OPTION', "open: isa is for 'cpu', the reference has none")
    return new Device('reference', 0, { threads }, 'asked for')
  }
  throw new KronrootError(
    'ERR_OPTION',
    `open: name must be 'auto', 'cpu', 'reference', 'cuda' or 'cuda:N', got ${shown(name)}`,
  )
}

function best(threads: number | undefined, isa: Isa | undefined): Device {
  let why = 'isa is for it'
  if (isa === undefined) {
    try {
      return new Device('cuda', 0, { threads }, 'auto chose cuda: it opens')
    } catch (error) {
      if (!(error instanceof KronrootError)) throw error
      why = error.message.replace(/^open: /, '')
    }
  }
  return new Device('cpu', 0, { threads, isa }, `auto chose cpu: ${why}`)
}

function checkedOpenOptions(options: unknown): OpenOptions {
  checkFields('open', options, ['threads', 'isa', 'stream'])
  const { threads, isa, stream } = options as { threads?: unknown; isa?: unknown; stream?: unknown }
  if (
    threads !== undefined &&
    !(Number.isInteger(threads) && (threads as number) >= 1 && (threads as number) <= 4096)
  ) {
    throw new KronrootError('ERR_OPTION', `open: threads must be an integer from 1 to 4096, got ${shown(threads)}`)
  }
  if (isa !== undefined && !isas.includes(isa as Isa)) {
    throw new KronrootError('ERR_OPTION', `open: isa must be one of ${isas.map(shown).join(', ')}, got ${shown(isa)}`)
  }
  if (stream !== undefined && !(typeof stream === 'bigint' && stream > 0n && stream < 2n ** 64n)) {
    throw new KronrootError(
      'ERR_OPTION',
      `open: stream must be the address of a cudaStream_t as a bigint (1n: the legacy default stream), got ${shown(stream)}`,
    )
  }
  return options as OpenOptions
}

function checkedDType(options: unknown): DType | undefined {
  checkFields('tensor', options, ['dtype'])
  const { dtype } = options as { dtype?: unknown }
  if (dtype === undefined || dtype === 'f32' || dtype === 'f64') return dtype
  throw new KronrootError('ERR_DTYPE', `tensor: dtype must be 'f32' or 'f64', got ${shown(dtype)}`)
}

function checkedNumbers(data: readonly unknown[]): readonly number[] {
  const wrong = data.findIndex((element) => typeof element !== 'number')
  if (wrong < 0) return data as readonly number[]
  throw new KronrootError('ERR_ARGUMENT', `data must hold numbers, element ${wrong} is ${shown(data[wrong])}`)
}
