import { describe, expect, test } from 'vitest'
import { readIdx } from '../../lib/train/idx.js'

const header = (...bytes: number[]) => Uint8Array.from(bytes)

describe('IDX files', () => {
  test('two images of 2 x 3 pixels, read from the middle of a larger buffer', () => {
    const file = header(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, ...Array.from({ length: 12 }, (_, i) => i + 1))
    const larger = new Uint8Array(file.length + 5)
    larger.set(file, 5)
    const { shape, data } = readIdx(larger.subarray(5))
    expect(shape).toEqual([2, 2, 3])
    expect([...data]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
  })

  test('dimensions are big-endian and may need all four bytes', () => {
    const file = new Uint8Array(8 + 65_537)
    file.set([0, 0, 8, 1, 0, 1, 0, 1])
    expect(readIdx(file).shape).toEqual([65_537])
  })

  test.each([
    ['a gzip file', header(0x1f, 0x8b, 8, 0), /not an IDX file/],
    ['an empty file', header(), /not an IDX file/],
    ['floats', header(0, 0, 0x0d, 1, 0, 0, 0, 1, 0, 0, 0, 0), /type 0xd is not 0x8/],
    ['a header cut off', header(0, 0, 8, 3, 0, 0, 0, 2), /header is cut off: 8 of 16 bytes/],
    ['data cut off', header(0, 0, 8, 1, 0, 0, 0, 3, 1, 2), /needs 11 bytes, the file has 10/],
    ['data too long', header(0, 0, 8, 1, 0, 0, 0, 1, 1, 2), /needs 9 bytes, the file has 10/],
  ])('%s is refused', (_, file, message) => {
    expect(() => readIdx(file)).toThrow(message)
  })
})
