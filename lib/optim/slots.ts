import { KronrootError, shown } from '../errors.js'
import { Tensor } from '../tensor.js'

/** Element types of saved state. */
export type StateArray = Float32Array | Float64Array | Int32Array | Uint16Array | Uint8Array

/** Saved arrays by key. Plain data: survives structuredClone, and maps one to one onto a safetensors file. */
export type StateDict = Record<string, StateArray>

/**
 * Arrays of equal length and type in a rule's state, as a checkpoint sees them: one, or the blocks of one tensor. A key
 * starts with the name of its parameter.
 */
export interface Slot {
  readonly keys: readonly string[]
  /** Elements of each array. */
  readonly length: number
  readonly kind: 'f32' | 'f64' | 'i32' | 'u16' | 'u8'
  /** Fresh copies, one a key. */
  read(): readonly StateArray[]
  /** Takes one array a key. */
  write(saved: readonly StateArray[]): void
}

/** A slot over a tensor, or over a typed array, by default all of it. */
export function arraySlot(
  key: string,
  array: StateArray | Tensor,
  start = 0,
  length = Tensor.isTensor(array) ? array.size : array.length,
): Slot {
  if (Tensor.isTensor(array)) return blockSlot(array, [key])
  return {
    keys: [key],
    length,
    kind: kindOf(array),
    read: () => [array.slice(start, start + length)],
    write: ([saved]) => array.set(saved!, start),
  }
}

/** A slot over a number: the field `field` of `record`. */
export function numberSlot(key: string, record: Record<string, number>, field: string): Slot {
  return {
    keys: [key],
    length: 1,
    kind: 'f64',
    read: () => [Float64Array.of(record[field]!)],
    write: ([saved]) => {
      record[field] = saved![0]!
    },
  }
}

/**
 * A slot over an fp32 tensor whose leading dimension counts blocks. Block b is saved under keys[b], so that a checkpoint
 * does not depend on which blocks happened to be stacked together.
 */
export function blockSlot(tensor: Tensor, keys: readonly string[]): Slot {
  const length = tensor.size / keys.length
  return {
    keys,
    length,
    kind: 'f32',
    read: () => {
      const data = tensor.data()
      return keys.map((_, block) => data.slice(block * length, (block + 1) * length))
    },
    write: (saved) => {
      const data = new Float32Array(tensor.size)
      saved.forEach((array, block) => {
        data.set(array, block * length)
      })
      tensor.write(data)
    },
  }
}

/**
 * A slot over symmetric matrices, [blocks, n, n] in f32 or f64, of which the lower triangles are saved, row by row:
 * n (n + 1) / 2 numbers a matrix.
 */
export function symmetricSlot(tensor: Tensor, keys: readonly string[]): Slot {
  const n = tensor.shape[tensor.shape.length - 1]!
  const length = (n * (n + 1)) / 2
  const numbers = (size: number) => (tensor.dtype === 'f64' ? new Float64Array(size) : new Float32Array(size))
  return {
    keys,
    length,
    kind: tensor.dtype,
    read: () => {
      const data = tensor.data()
      return keys.map((_, block) => {
        const packed = numbers(length)
        for (let i = 0, to = 0; i < n; to += ++i) {
          const row = (block * n + i) * n
          packed.set(data.subarray(row, row + i + 1), to)
        }
        return packed
      })
    },
    write: (saved) => {
      const data = numbers(tensor.size)
      saved.forEach((packed, block) => {
        for (let i = 0, from = 0; i < n; i++) {
          for (let j = 0; j <= i; j++, from++) {
            data[(block * n + i) * n + j] = packed[from]!
            data[(block * n + j) * n + i] = packed[from]!
          }
        }
      })
      tensor.write(data)
    },
  }
}

/** The same slot under other keys. */
export function renamedSlot(slot: Slot, rename: (key: string) => string): Slot {
  return { ...slot, keys: slot.keys.map(rename) }
}

/** All arrays by key. */
export function saveSlots(slots: readonly Slot[]): StateDict {
  return Object.fromEntries(
    slots.flatMap((slot) => {
      const arrays = slot.read()
      return slot.keys.map((key, index) => [key, arrays[index]!] as const)
    }),
  )
}

/**
 * Writes saved arrays back. Everything is compared first: on any missing or unknown key, or an array of another length
 * or type, nothing is written and ERR_STATE lists every difference.
 */
export function loadSlots(slots: readonly Slot[], saved: StateDict): void {
  const expected = new Set(slots.flatMap((slot) => slot.keys))
  const differences = [
    ...slots.flatMap((slot) => slot.keys.flatMap((key) => difference(slot, key, saved[key]))),
    ...Object.keys(saved)
      .filter((key) => !expected.has(key))
      .map((key) => `${key} is unknown here`),
  ]
  if (differences.length > 0) {
    throw new KronrootError('ERR_STATE', `state does not fit this optimizer: ${differences.join('; ')}`)
  }
  for (const slot of slots) slot.write(slot.keys.map((key) => saved[key]!))
}

function difference(slot: Slot, key: string, saved: StateArray | undefined): readonly string[] {
  if (saved === undefined) return [`${key} is missing`]
  const isTyped = ArrayBuffer.isView(saved)
  if (!isTyped) return [`${key} is ${shown(saved)}, expected a typed array`]
  const kind = kindOf(saved)
  if (kind === slot.kind && saved.length === slot.length) return []
  return [`${key} is ${kind}[${saved.length}], expected ${slot.kind}[${slot.length}]`]
}

function kindOf(array: StateArray): Slot['kind'] {
  if (array instanceof Float32Array) return 'f32'
  if (array instanceof Float64Array) return 'f64'
  if (array instanceof Int32Array) return 'i32'
  return array instanceof Uint16Array ? 'u16' : 'u8'
}
