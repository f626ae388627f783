import type { Device } from './device.js'
import { KronrootError, shown } from './errors.js'
import { addon, translated } from './native/addon.js'

/** Element type: IEEE single or double precision. */
export type DType = 'f32' | 'f64'

const codes: Record<DType, number> = { f32: 0, f64: 1 }
const elementBytes: Record<DType, number> = { f32: 4, f64: 8 }

/**
 * A dense row-major array `[..., m, n]` in native memory of a device: the last two dimensions are a matrix, the leading ones
 * the batch (none: a batch of one). Made by `device.tensor`, `device.empty` and the ops.
 *
 * On a `cuda` device ops return when their work is enqueued. Reading a tensor waits for all that was enqueued before.
 *
 * The memory is given back by `dispose()` (or `using`). A tensor that was only dropped gives it back after its garbage
 * collection. Disposing while an asynchronous call uses the tensor is safe: the call keeps the memory until it ends.
 */
export class Tensor {
  readonly device: Device
  readonly dtype: DType
  readonly shape: readonly number[]
  /** Number of elements. */
  readonly size: number
  #disposed = false
  #handle = 0

  private constructor(device: Device, shape: readonly number[], size: number, dtype: DType) {
    this.device = device
    this.dtype = dtype
    this.shape = shape
    this.size = size
  }

  /**
   * A tensor of a shape that {@link checkedShape} gave; without `zeroed` its content is undefined.
   * @internal
   */
  static allocate(device: Device, shape: readonly number[], dtype: DType, zeroed: boolean): Tensor {
    return Tensor.#made(device, shape, dtype, (tensor, batch, rows, cols) =>
      addon().createTensor(tensor, device, codes[dtype], batch, rows, cols, zeroed ? 1 : 0),
    )
  }

  /**
   * A tensor over memory that somebody else keeps; see {@link Device.wrap}.
   * @internal
   */
  static wrap(device: Device, shape: readonly number[], dtype: DType, pointer: bigint): Tensor {
    return Tensor.#made(device, shape, dtype, (tensor, batch, rows, cols) =>
      addon().wrapTensor(tensor, device, codes[dtype], batch, rows, cols, pointer),
    )
  }

  static #made(
    device: Device,
    shape: readonly number[],
    dtype: DType,
    make: (tensor: Tensor, batch: number, rows: number, cols: number) => number,
  ): Tensor {
    const cols = shape[shape.length - 1]!
    const rows = shape.length > 1 ? shape[shape.length - 2]! : 1
    let batch = 1
    for (let i = 0; i < shape.length - 2; i++) batch *= shape[i]!
    const tensor = new Tensor(device, shape, batch * rows * cols, dtype)
    try {
      tensor.#handle = make(tensor, batch, rows, cols)
    } catch (error) {
      throw translated(error)
    }
    return tensor
  }

  /**
   * The number by which the native module knows it.
   * @internal
   */
  static handleOf(tensor: Tensor): number {
    return tensor.#handle
  }

  /** Whether `value` is a tensor that kronroot made: objects with its prototype alone are not. */
  static isTensor(value: unknown): value is Tensor {
    return typeof value === 'object' && value !== null && #disposed in value
  }

  /** Size in bytes. */
  get bytes(): number {
    return this.size * elementBytes[this.dtype]
  }

  /** Whether the memory was given back, by `dispose()` of this tensor or of its device. */
  get disposed(): boolean {
    return this.#disposed || this.device.disposed
  }

  /**
   * The address of the first element, for other libraries in the process; on a `cuda` device one of its memory. Valid until
   * the tensor is disposed or collected. What others do there has to follow the order of `device.stream`, or come between a
   * `device.synchronize()` and the next call. 0n without elements.
   * @throws KronrootError ERR_DISPOSED
   */
  get pointer(): bigint {
    try {
      return addon().tensorPointer(this.#handle)
    } catch (error) {
      throw translated(error)
    }
  }

  /**
   * A copy of the elements in a typed array of the tensor's dtype, owned by JavaScript.
   * @throws KronrootError ERR_DISPOSED; ERR_ALIAS while an asynchronous call writes the tensor; ERR_DEVICE_LOST
   */
  data(): Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer> {
    const into = this.dtype === 'f32' ? new Float32Array(this.size) : new Float64Array(this.size)
    this.read(into)
    return into
  }

  /**
   * As `data()`, without occupying the JavaScript thread while the elements are waited for and copied. The tensor cannot be
   * written meanwhile, but it may be disposed.
   * @throws KronrootError (the promise rejects) as `data()`
   */
  async dataAsync(): Promise<Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>> {
    try {
      const elements = await addon().downloadTensor(this.#handle)
      return this.dtype === 'f32' ? new Float32Array(elements) : new Float64Array(elements)
    } catch (error) {
      throw translated(error)
    }
  }

  /**
   * Copies the elements into `into`, a typed array of the tensor's dtype and size.
   * @throws KronrootError ERR_DISPOSED, ERR_DTYPE, ERR_BUFFER; ERR_ALIAS while an asynchronous call writes the tensor
   */
  read(into: Float32Array | Float64Array): void {
    checkBuffer('into', into)
    try {
      addon().readTensor(this.#handle, into)
    } catch (error) {
      throw translated(error)
    }
  }

  /**
   * Replaces the elements by those of `data`, a typed array of the tensor's dtype and size.
   * @throws KronrootError ERR_DISPOSED, ERR_DTYPE, ERR_BUFFER; ERR_ALIAS while an asynchronous call uses the tensor
   */
  write(data: Float32Array | Float64Array): void {
    checkBuffer('data', data)
    try {
      addon().writeTensor(this.#handle, data)
    } catch (error) {
      throw translated(error)
    }
  }

  /** Gives the memory back. May be called again. */
  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    addon().disposeTensor(this.#handle)
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}

/** A frozen copy of `shape` whose dimensions are whole and whose product a tensor can hold; else ERR_SHAPE. */
export function checkedShape(shape: unknown): readonly number[] {
  if (!Array.isArray(shape) || shape.length === 0) {
    throw new KronrootError('ERR_SHAPE', `shape must be an array of at least one dimension, got ${shown(shape)}`)
  }
  let size = 1
  for (const extent of shape as unknown[]) {
    if (!Number.isSafeInteger(extent) || (extent as number) < 0) {
      throw new KronrootError('ERR_SHAPE', `shape must hold integers >= 0, got ${shown(extent)} in ${shown(shape)}`)
    }
    // Zero extents are left out, so that no order of the dimensions lets the others overflow.
    size *= Math.max(extent as number, 1)
  }
  if (size > 2 ** 50) throw new KronrootError('ERR_SHAPE', `shape ${shown(shape)} has more than 2^50 elements`)
  return Object.freeze(shape.slice())
}

/**
 * A Float32Array or Float64Array over a buffer of fixed length; SharedArrayBuffers are allowed (the elements are copied,
 * so a race there can spoil values and nothing else). Else ERR_DTYPE, ERR_ARGUMENT or ERR_BUFFER.
 */
export function checkBuffer(name: string, view: unknown): asserts view is Float32Array | Float64Array {
  if (!(view instanceof Float32Array || view instanceof Float64Array)) {
    const code = ArrayBuffer.isView(view) ? 'ERR_DTYPE' : 'ERR_ARGUMENT'
    throw new KronrootError(code, `${name} must be a Float32Array or Float64Array, got ${shown(view)}`)
  }
  const buffer = view.buffer as { resizable?: boolean; growable?: boolean }
  if (buffer.resizable || buffer.growable) {
    throw new KronrootError('ERR_BUFFER', `${name} lies in a resizable buffer; copy it first, for example with slice()`)
  }
}
