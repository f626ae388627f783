import type { Device } from '../device.js'
import { emptyTensor, held } from '../precondition/arrays.js'
import { elements } from '../precondition/plan.js'
import type { Tensor } from '../tensor.js'

/** A tensor and views of its parts. */
export interface Parts {
  readonly tensor: Tensor
  readonly parts: readonly Tensor[]
}

/** Tensors and their views, to be disposed together. */
export class TensorPool {
  readonly device: Device
  readonly #tensors: Tensor[] = []
  bytes = 0

  constructor(device: Device) {
    this.device = device
  }

  zeros(shape: readonly number[]): Tensor {
    const tensor = emptyTensor(this.device, shape)
    this.#tensors.push(tensor)
    this.bytes += tensor.bytes
    return tensor
  }

  /** Zeros [members, ...shape] and a view of each member. */
  parts(members: number, shape: readonly number[]): Parts {
    return this.ragged([members, ...shape], new Array<number>(members).fill(elements(shape)))
  }

  /** Zeros of a shape and views of consecutive parts of these sizes. */
  ragged(shape: readonly number[], sizes: readonly number[]): Parts {
    const tensor = this.zeros(shape)
    return { tensor, parts: this.views(tensor, sizes) }
  }

  /** Views of consecutive parts of these sizes. */
  views(tensor: Tensor, sizes: readonly number[]): readonly Tensor[] {
    let start = 0
    return sizes.map((size) => {
      const at = tensor.pointer + BigInt(4 * start)
      const view = held(size === 0 ? this.device.empty([0]) : this.device.wrap(at, [size]))
      this.#tensors.push(view)
      start += size
      return view
    })
  }

  dispose(): void {
    for (const tensor of this.#tensors) tensor.dispose()
  }
}
