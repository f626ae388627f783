import { Random } from './random.js'

/**
 * The order in which a run sees its images: a fresh permutation for each epoch, cut into batches; a batch may span the
 * end of one epoch and the beginning of the next, so that every batch is full. The order depends on the seed alone, so
 * every optimizer sees the same batches.
 */
export class BatchOrder {
  readonly #random: Random
  readonly #count: number
  readonly #size: number
  #epoch: Uint32Array
  #position = 0

  constructor(count: number, size: number, seed: number) {
    this.#random = new Random(seed)
    this.#count = count
    this.#size = size
    this.#epoch = this.#random.permutation(count)
  }

  /** The indices of the next batch. */
  next(): Uint32Array {
    const batch = new Uint32Array(this.#size)
    let filled = 0
    while (filled < this.#size) {
      if (this.#position === this.#count) {
        this.#epoch = this.#random.permutation(this.#count)
        this.#position = 0
      }
      const taken = Math.min(this.#size - filled, this.#count - this.#position)
      batch.set(this.#epoch.subarray(this.#position, this.#position + taken), filled)
      filled += taken
      this.#position += taken
    }
    return batch
  }
}
