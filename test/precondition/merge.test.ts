// S7: merge and split examples of Distributed Shampoo (background/optimizers.md, section 2.1).
import { describe, expect, test } from 'vitest'
import { mergeDimensions, splitDimension } from '../../lib/precondition/merge.js'

describe('mergeDimensions', () => {
  test.each([
    [[1, 2, 5, 1], 10, 1, [10]],
    [[1, 2, 5, 1], 1, 1, [2, 5]],
    [[32, 3, 64, 64], 8192, 1, [96, 4096]],
    [[32, 3, 64, 64], 1e6, 2, [32, 12288]],
    [[784, 256], 1024, 1, [784, 256]],
    [[16, 32], 1024, 1, [512]],
    [[16, 32], 1024, 2, [16, 32]],
    [[], 1024, 1, [1]],
    [[1, 1, 1], 1024, 1, [1]],
    [[7], 1, 1, [7]],
    [[2, 2, 2, 2], 4, 1, [4, 4]],
    [[2, 2, 2, 2], 16, 3, [2, 2, 4]],
    [[4, 0, 3], 1024, 1, [0]],
  ])('%j, threshold %d, target %d -> %j', (shape, threshold, target, expected) => {
    expect(mergeDimensions(shape, { threshold, target })).toEqual(expected)
  })
})

describe('splitDimension', () => {
  test.each([
    [5, 2, [2, 2, 1]],
    [4, 2, [2, 2]],
    [3, 8, [3]],
    [0, 8, []],
  ])('%d by %d -> %j', (size, blockSize, expected) => expect(splitDimension(size, blockSize)).toEqual(expected))
})
