import { describe, expect, test } from 'vitest'
import { BatchOrder } from '../../lib/train/batches.js'
import { Random } from '../../lib/train/random.js'

const take = (order: BatchOrder, batches: number) => Array.from({ length: batches }, () => [...order.next()])

describe('batches', () => {
  test('the order depends on the seed alone', () => {
    expect(take(new BatchOrder(100, 30, 5), 8)).toEqual(take(new BatchOrder(100, 30, 5), 8))
    expect(take(new BatchOrder(100, 30, 5), 1)).not.toEqual(take(new BatchOrder(100, 30, 6), 1))
  })

  test('every epoch shows every image once, also where a batch spans two epochs, and epochs differ', () => {
    const drawn = take(new BatchOrder(100, 30, 1), 10).flat()
    const epochs = [drawn.slice(0, 100), drawn.slice(100, 200), drawn.slice(200)]
    const all = Array.from({ length: 100 }, (_, i) => i)
    for (const epoch of epochs) expect([...epoch].sort((a, b) => a - b)).toEqual(all)
    expect(epochs[0]).not.toEqual(epochs[1])
  })

  test('a batch may be the whole set', () => {
    expect(take(new BatchOrder(3, 3, 1), 2).map((batch) => batch.length)).toEqual([3, 3])
  })
})

describe('random numbers', () => {
  test('xoshiro128** seeded by SplitMix32, against its definition in exact integers', () => {
    const mask = 0xffffffffn
    const multiply = (a: bigint, b: bigint) => (a * b) & mask
    const rotate = (a: bigint, bits: bigint) => ((a << bits) | (a >> (32n - bits))) & mask
    let seed = 123_456_789n
    const splitMix = () => {
      seed = (seed + 0x9e3779b9n) & mask
      const first = multiply(seed ^ (seed >> 16n), 0x85ebca6bn)
      const second = multiply(first ^ (first >> 13n), 0xc2b2ae35n)
      return second ^ (second >> 16n)
    }
    const s = [splitMix(), splitMix(), splitMix(), splitMix()]
    const random = new Random(123_456_789)
    for (let i = 0; i < 1000; i++) {
      const expected = multiply(rotate(multiply(s[1]!, 5n), 7n), 9n)
      const shifted = (s[1]! << 9n) & mask
      s[2]! ^= s[0]!
      s[3]! ^= s[1]!
      s[1]! ^= s[2]!
      s[0]! ^= s[3]!
      s[2]! ^= shifted
      s[3] = rotate(s[3]!, 11n)
      expect(random.uint32()).toBe(Number(expected))
    }
  })

  test('uniform numbers fill [0, 1) evenly', () => {
    const random = new Random(3)
    const bins = new Array(10).fill(0)
    for (let i = 0; i < 100_000; i++) bins[Math.floor(random.uniform() * 10)]++
    // Standard deviation of a bin: 95.
    for (const bin of bins) expect(Math.abs(bin - 10_000)).toBeLessThan(500)
  })

  test('a permutation holds every number once and neighbouring seeds differ', () => {
    const order = new Random(1).permutation(1000)
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i))
    expect(order).not.toEqual(new Random(2).permutation(1000))
  })
})
