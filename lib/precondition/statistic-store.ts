// Where the statistics of a factor live between steps.
import type { Device } from '../device.js'
import { oneOf } from '../schedule/validate.js'
import type { Tensor } from '../tensor.js'
import { held, type Run, reserve, withViews } from './arrays.js'

/**
 * `f32`: as they are used. `f64`: summed in f64, roots solved in f64, bases in f32. `bf16`: between steps as triangles of bf16 in JavaScript's memory, a
 * quarter of the bytes of f32, for the time of packing them in each step; sums in f32 are rounded to 8 bits once a step.
 */
export type StatisticStorage = 'f32' | 'f64' | 'bf16'

/** Checked storage. */
export function checkStorage(owner: string, storage: StatisticStorage): StatisticStorage {
  return oneOf(owner, 'storage', storage, ['f32', 'f64', 'bf16'])
}

/** Symmetric matrices [blocks, d, d], or diagonals [blocks, d, 1], zero at first. */
export class StatisticStore {
  readonly size: number
  readonly #device: Device
  readonly #isFull: boolean
  /** Undefined where they are packed. */
  readonly tensor: Tensor | undefined
  /** Lower triangles, row by row, as the upper halves of f32 numbers; block after block. */
  readonly packed: Uint16Array | undefined

  /** Diagonals are always f32. */
  constructor(device: Device, blocks: number, size: number, isFull: boolean, storage: StatisticStorage) {
    this.size = size
    this.#device = device
    this.#isFull = isFull
    if (isFull && storage === 'bf16') {
      const length = blocks * triangle(size)
      reserve(2 * length)
      this.packed = new Uint16Array(length)
      return
    }
    const dtype = isFull && storage === 'f64' ? 'f64' : 'f32'
    const shape = isFull ? [blocks, size, size] : [blocks, size, 1]
    reserve((dtype === 'f64' ? 8 : 4) * blocks * size * (isFull ? size : 1))
    this.tensor = held(device.empty(shape, { dtype }))
  }

  get bytes(): number {
    return this.tensor?.bytes ?? this.packed!.byteLength
  }

  /** Runs `work` on those of neighbouring blocks, [n, d, d] or [n, d, 1], which it only reads. */
  read<Result>(run: Run, work: (statistics: Tensor) => Result): Result {
    if (this.tensor !== undefined) return withViews((views) => work(views.matrices(this.tensor!, run)))
    using unpacked = this.#unpacked(run)
    return work(unpacked)
  }

  /** The same where `work` changes them. */
  change(run: Run, work: (statistics: Tensor) => void): void {
    if (this.tensor !== undefined) {
      withViews((views) => work(views.matrices(this.tensor!, run)))
      return
    }
    using unpacked = this.#unpacked(run)
    work(unpacked)
    this.#pack(run, unpacked.data() as Float32Array)
  }

  dispose(): void {
    this.tensor?.dispose()
  }

  #unpacked({ from, to }: Run): Tensor {
    const n = this.size
    const data = new Float32Array((to - from) * n * n)
    const words = new Uint32Array(data.buffer)
    let at = from * triangle(n)
    for (let block = 0; block < to - from; block++) {
      for (let i = 0; i < n; i++) {
        for (let j = 0; j <= i; j++) {
          const word = this.packed![at++]! << 16
          words[(block * n + i) * n + j] = word
          words[(block * n + j) * n + i] = word
        }
      }
    }
    return this.#device.tensor(data, this.#isFull ? [to - from, n, n] : [to - from, n, 1])
  }

  #pack({ from, to }: Run, data: Float32Array): void {
    const n = this.size
    const words = new Uint32Array(data.buffer, data.byteOffset, data.length)
    let at = from * triangle(n)
    for (let block = 0; block < to - from; block++) {
      for (let i = 0; i < n; i++) {
        const row = (block * n + i) * n
        for (let j = 0; j <= i; j++) this.packed![at++] = nearestBf16(words[row + j]!)
      }
    }
  }
}

/** Numbers in the lower triangle of an n x n matrix. */
export function triangle(n: number): number {
  return (n * (n + 1)) / 2
}

/** The upper half of an f32 number, rounded to nearest even. */
function nearestBf16(word: number): number {
  return (word + 0x7fff + ((word >>> 16) & 1)) >>> 16
}
