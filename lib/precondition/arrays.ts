// Arrays of optimizers: typed arrays where native code works on the memory of the process, tensors on a GPU.
import type { Device } from '../device.js'
import { KronrootError } from '../errors.js'
import { elementwiseUpdate } from '../linalg/elementwise-update.js'
import { type DType, Tensor } from '../tensor.js'

/** fp32 numbers of a parameter, row-major: in JavaScript's memory, or a tensor of the device. */
export type ParameterArray = Float32Array | Tensor

/** Whether arrays that outlive a call belong into memory of the device's own. */
export function keepsArrays(device: Device): boolean {
  return device.kind === 'cuda'
}

/** Zeros that live where the device works. */
export function zeros(device: Device, size: number): ParameterArray {
  return keepsArrays(device) ? emptyTensor(device, [size]) : hostArray(size)
}

/** A tensor of zeros that is {@link held}. */
export function emptyTensor(device: Device, shape: readonly number[]): Tensor {
  reserve(shape.reduce((product, extent) => product * extent, 4))
  return held(device.empty(shape))
}

/** Zeros in JavaScript's memory. */
export function hostArray(size: number): Float32Array {
  reserve(4 * size)
  return new Float32Array(size)
}

let budget: { readonly name: string; readonly cap: number; used: number } | undefined

/** Counts bytes that are about to be allocated. Throws ERR_OUT_OF_MEMORY where they go beyond the budget. */
export function reserve(bytes: number): void {
  if (budget === undefined) return
  budget.used += bytes
  if (budget.used <= budget.cap) return
  throw new KronrootError(
    'ERR_OUT_OF_MEMORY',
    `${budget.name} is ${budget.cap} bytes, and ${budget.used} are needed already when ${bytes} more are asked for`,
  )
}

/** Runs `make`, which may {@link reserve} at most `cap` bytes; undefined: any number. */
export function withinBudget<Result>(name: string, cap: number | undefined, make: () => Result): Result {
  const outer = budget
  budget = cap === undefined ? outer : { name, cap, used: 0 }
  try {
    return make()
  } finally {
    budget = outer
  }
}

let holder: Tensor[] | undefined

/** Remembers a tensor for {@link allOrNothing}. */
export function held(tensor: Tensor): Tensor {
  holder?.push(tensor)
  return tensor
}

/** Runs `make`; where it throws, the tensors that were {@link held} by then give their memory back. */
export function allOrNothing<Result>(make: () => Result): Result {
  const outer = holder
  const own: Tensor[] = []
  holder = own
  try {
    return make()
  } catch (error) {
    disposeArrays(own)
    throw error
  } finally {
    holder = outer
  }
}

export function lengthOf(array: ParameterArray): number {
  return Tensor.isTensor(array) ? array.size : array.length
}

/** The numbers in JavaScript's memory: the array itself, or a copy of the tensor. */
export function onHost(array: ParameterArray): Float32Array {
  return Tensor.isTensor(array) ? (array.data() as Float32Array) : array
}

/** Gives the memory of tensors back. */
export function disposeArrays(arrays: readonly (ParameterArray | undefined)[]): void {
  for (const array of arrays) if (Tensor.isTensor(array)) array.dispose()
}

/** Views of parts of arrays, valid until the scope ends. */
export class Views {
  readonly #tensors: Tensor[] = []

  /** Elements start .. start + length: a subarray, or a tensor over the same memory. */
  of(array: ParameterArray, start: number, length: number): ParameterArray {
    if (!Tensor.isTensor(array)) return array.subarray(start, start + length)
    if (length === array.size) return array
    const bytes = array.dtype === 'f64' ? 8 : 4
    const view = array.device.wrap(array.pointer + BigInt(bytes * start), [length], { dtype: array.dtype })
    this.#tensors.push(view)
    return view
  }

  /** Matrices from .. to of a tensor whose leading dimension counts them, as a tensor over the same memory. */
  matrices(tensor: Tensor, { from, to }: Run): Tensor {
    const [count, ...rest] = tensor.shape as [number, ...number[]]
    if (from === 0 && to === count) return tensor
    const bytes = (tensor.bytes / count) * from
    const view = tensor.device.wrap(tensor.pointer + BigInt(bytes), [to - from, ...rest], { dtype: tensor.dtype })
    this.#tensors.push(view)
    return view
  }

  dispose(): void {
    for (const tensor of this.#tensors) tensor.dispose()
  }
}

/** Neighbouring matrices of a stack: from, ..., to - 1. */
export interface Run {
  readonly from: number
  readonly to: number
}

/** The longest runs of indices below `count` for which `isIn` holds. */
export function runsOf(count: number, isIn: (index: number) => boolean): readonly Run[] {
  const runs: Run[] = []
  for (let from = 0; from < count; from++) {
    if (!isIn(from)) continue
    let to = from + 1
    while (to < count && isIn(to)) to++
    runs.push({ from, to })
    from = to
  }
  return runs
}

/** Runs `work` with views that end with it. */
export function withViews<Result>(work: (views: Views) => Result): Result {
  const views = new Views()
  try {
    return work(views)
  } finally {
    views.dispose()
  }
}

/** One array copied to another one of its length, times a factor. */
export interface Copy {
  readonly from: ParameterArray
  readonly to: ParameterArray
  readonly factor?: number
}

/** Copies in one native call. */
export function copyAll(device: Device, copies: readonly Copy[]): void {
  if (copies.length === 0) return
  elementwiseUpdate(
    device,
    'combine',
    copies.map(({ from, to, factor = 1 }) => ({ gradient: from, direction: to, fromGradient: factor })),
  )
}

/** A tensor of the same numbers in another type, by way of JavaScript's memory. */
export function cast(tensor: Tensor, dtype: DType): Tensor {
  const data = tensor.data()
  return tensor.device.tensor(dtype === 'f64' ? Float64Array.from(data) : Float32Array.from(data), tensor.shape)
}
