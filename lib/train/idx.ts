/** The IDX container of the MNIST files (LeCun, Cortes, Burges): big-endian magic 00 00 type rank, one uint32 per dimension, then the data. */

/** Unsigned bytes with their shape; the only element type the MNIST files use. */
export interface ByteArrayIdx {
  readonly shape: readonly number[]
  readonly data: Uint8Array
}

const unsignedByte = 0x08

/**
 * Reads an IDX file of unsigned bytes. `data` is a view into `file`, not a copy.
 *
 * @throws Error that names what is wrong: the magic number, the element type, or the length.
 */
export function readIdx(file: Uint8Array): ByteArrayIdx {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  if (file.length < 4 || view.getUint16(0) !== 0) throw new Error('not an IDX file: the first two bytes must be zero')
  const type = view.getUint8(2)
  if (type !== unsignedByte) throw new Error(`IDX element type 0x${type.toString(16)} is not 0x8 (unsigned byte)`)
  const rank = view.getUint8(3)
  const header = 4 + 4 * rank
  if (file.length < header) throw new Error(`IDX header is cut off: ${file.length} of ${header} bytes`)
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis))
  const size = shape.reduce((product, length) => product * length, 1)
  if (file.length !== header + size) {
    throw new Error(`IDX data of shape ${shape.join(' x ')} needs ${header + size} bytes, the file has ${file.length}`)
  }
  return { shape, data: file.subarray(header) }
}
