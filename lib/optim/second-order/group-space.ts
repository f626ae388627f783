import type { Device } from '../../device.js'
import { KronrootError } from '../../errors.js'
import { reduce } from '../../linalg/reduce.js'
import {
  disposeArrays,
  emptyTensor,
  held,
  lengthOf,
  onHost,
  type ParameterArray,
  zeros,
} from '../../precondition/arrays.js'
import { elements } from '../../precondition/plan.js'
import { Tensor } from '../../tensor.js'
import { updateAll } from '../elementwise.js'
import type { Arrays } from '../oracle.js'
import type { Gradients, ParameterSpec, RuleContext } from '../rule.js'
import { arraySlot, type Slot } from '../slots.js'

/** A vector over all parameters of a group: one array, and the part of each parameter as a view of it. */
export interface GroupVector {
  readonly whole: ParameterArray
  readonly parts: readonly ParameterArray[]
}

/**
 * The space of all parameters of a group, one after another, as rules need it that couple them. A parameter without a
 * gradient is 0 in every vector made from gradients: what a symmetric positive matrix makes of such a vector, taken where
 * there are gradients, is what its principal submatrix makes of them.
 */
export class GroupSpace {
  readonly device: Device
  readonly parameters: readonly ParameterSpec[]
  /** Elements of all parameters. */
  readonly size: number
  /** Where each parameter starts. */
  readonly starts: readonly number[]
  readonly #arrays: ParameterArray[] = []
  #bytes = 0

  constructor(parameters: readonly ParameterSpec[], device: Device) {
    this.device = device
    this.parameters = parameters
    let size = 0
    this.starts = parameters.map(({ shape }) => {
      const start = size
      size += elements(shape)
      return start
    })
    this.size = size
  }

  /** Zeros, kept until `dispose`. */
  vector(): GroupVector {
    const whole = zeros(this.device, this.size)
    this.#keep(whole)
    return { whole, parts: this.#parts(whole, 0) }
  }

  /** Zeros `[rows, size]`, kept until `dispose`, and each row as a vector. */
  rows(rows: number): { readonly matrix: Tensor; readonly vectors: readonly GroupVector[] } {
    const matrix = this.tensor([rows, this.size])
    const vectors = Array.from({ length: rows }, (_, row) => ({
      whole: this.view(matrix, row * this.size, this.size),
      parts: this.#parts(matrix, row * this.size),
    }))
    return { matrix, vectors }
  }

  /** A tensor of zeros, kept until `dispose`. */
  tensor(shape: readonly number[]): Tensor {
    const tensor = emptyTensor(this.device, shape)
    this.#keep(tensor)
    return tensor
  }

  #keep(array: ParameterArray): void {
    this.#arrays.push(array)
    this.#bytes += 4 * lengthOf(array)
  }

  #parts(whole: ParameterArray, offset: number): readonly ParameterArray[] {
    return this.parameters.map(({ shape }, index) => this.view(whole, offset + this.starts[index]!, elements(shape)))
  }

  /** Elements start .. start + length of one of its arrays, as long as the space lives. */
  view(array: ParameterArray, start: number, length: number): ParameterArray {
    if (!Tensor.isTensor(array)) return array.subarray(start, start + length)
    const { device } = this
    const view = held(length === 0 ? device.empty([0]) : device.wrap(array.pointer + BigInt(4 * start), [length]))
    this.#arrays.push(view)
    return view
  }

  /** Copies one array a parameter, zeros for null. */
  gather(arrays: Gradients, into: GroupVector): void {
    const entries = into.parts.map((direction, index) => {
      const gradient = arrays[index]
      if (gradient) return { gradient, direction, fromGradient: 1 }
      clear(direction)
      return null
    })
    updateAll(this.device, 'combine', entries)
  }

  /** Copies the parts of the parameters that have a gradient. */
  store(from: GroupVector, to: GroupVector, gradients: Gradients): void {
    const entries = from.parts.map((gradient, index) =>
      gradients[index] ? { gradient, direction: to.parts[index]!, fromGradient: 1 } : null,
    )
    updateAll(this.device, 'combine', entries)
  }

  clear({ whole }: GroupVector): void {
    clear(whole)
  }

  /** The values of the parameters that the rule is told; ERR_OPTION without. */
  valuesOf(owner: string, { parameters }: RuleContext): readonly ParameterArray[] {
    if (parameters !== undefined) return parameters
    throw new KronrootError('ERR_OPTION', `${owner}: the values of the parameters are needed`)
  }

  /** The parts of the parameters that have a gradient, null for the others. */
  directions(vector: GroupVector, gradients: Gradients): Gradients {
    return vector.parts.map((part, index) => (gradients[index] ? part : null))
  }

  /** into <- a x + b y, where `into` may be x or y. */
  combine(a: number, x: GroupVector, b: number, y: GroupVector, into: GroupVector): void {
    this.#update({ gradient: x.whole, fromGradient: a, m: y.whole, fromM: b, direction: into.whole })
  }

  /** into <- a x */
  scale(a: number, x: GroupVector, into: GroupVector): void {
    this.#update({ gradient: x.whole, fromGradient: a, direction: into.whole })
  }

  #update(entry: Parameters<typeof updateAll>[2][number]): void {
    if (this.size > 0) updateAll(this.device, 'combine', [entry])
  }

  /** Dot products in f64, all in one call. */
  dots(pairs: readonly (readonly [GroupVector, GroupVector])[]): readonly number[] {
    const entries = pairs.map(([x, y]) => ({ x: x.whole, y: y.whole }))
    return Array.from(reduce(this.device, 'dot', entries))
  }

  dot(x: GroupVector, y: GroupVector): number {
    return this.dots([[x, y]])[0]!
  }

  /** Slots of a vector, by parameter. */
  slots(field: string, vector: GroupVector): readonly Slot[] {
    return this.parameters.map(({ name }, index) => arraySlot(`${name}/${field}`, vector.parts[index]!))
  }

  /** Slots of numbers that belong to the group as a whole: they are saved with its first parameter. */
  shared(field: string, numbers: Float64Array): readonly Slot[] {
    return this.parameters.slice(0, 1).map(({ name }) => arraySlot(`${name}/${field}`, numbers))
  }

  /** Bytes of what was handed out. */
  get bytes(): number {
    return this.#bytes
  }

  dispose(): void {
    disposeArrays(this.#arrays)
  }
}

/** The parts of a vector in JavaScript's memory, for callbacks: views where it lies there, else copies. */
export function hostParts(vector: GroupVector): Arrays {
  return vector.parts.map(onHost)
}

function clear(array: ParameterArray): void {
  if (Tensor.isTensor(array)) array.write(new Float32Array(array.size))
  else array.fill(0)
}
