import { describe, expect, test } from 'vitest'
import { Views } from '../../lib/precondition/arrays.js'
import { blockRuns, gatherBlock, scatterBlock } from '../../lib/precondition/blocks.js'
import { type Block, planBlocks } from '../../lib/precondition/plan.js'
import { rotateModes } from '../../lib/precondition/unfold.js'

const count = (length: number) => Float32Array.from({ length }, (_, i) => i)

function gathered(block: Block, parameter: Float32Array): number[] {
  const size = block.shape.reduce((product, dimension) => product * dimension, 1)
  const stack = new Float32Array(size + 2).fill(-1)
  gatherBlock(block, parameter, stack, 1)
  expect([stack[0], stack[size + 1]]).toEqual([-1, -1])
  return [...stack.slice(1, size + 1)]
}

describe('planBlocks', () => {
  test('5 x 3 cut by 2 is six blocks in four buckets', () => {
    const plan = planBlocks([{ name: 'w', shape: [5, 3] }], { blockSize: 2, merge: undefined })
    expect(plan.buckets.map(({ shape, blocks }) => [shape, blocks.length])).toEqual([
      [[2, 2], 2],
      [[2, 1], 2],
      [[1, 2], 1],
      [[1, 1], 1],
    ])
    const parameter = count(15)
    const boxes = plan.buckets.flatMap(({ blocks }) => blocks).sort((a, b) => a.index - b.index)
    expect(boxes.map((block) => gathered(block, parameter))).toEqual([
      [0, 1, 3, 4],
      [2, 5],
      [6, 7, 9, 10],
      [8, 11],
      [12, 13],
      [14],
    ])
  })

  test('equal blocks of different parameters share a bucket, in the order of parameters', () => {
    const parameters = [
      { name: 'a', shape: [4, 6] },
      { name: 'b', shape: [3] },
      { name: 'c', shape: [4, 3] },
    ]
    const plan = planBlocks(parameters, { blockSize: 4, merge: undefined })
    expect(plan.buckets.map(({ shape }) => shape)).toEqual([[4, 4], [4, 2], [3], [4, 3]])
    const wide = planBlocks([...parameters, { name: 'd', shape: [4, 8] }], { blockSize: 4, merge: undefined })
    expect(wide.buckets[0]!.blocks.map(({ parameter, index }) => [parameter, index])).toEqual([
      [0, 0],
      [3, 0],
      [3, 1],
    ])
  })

  test('a whole parameter is one contiguous run', () => {
    const [bucket] = planBlocks([{ name: 'w', shape: [6, 5, 4] }], { blockSize: 8, merge: undefined }).buckets
    expect(bucket!.blocks[0]).toMatchObject({ starts: [0], run: 120 })
  })

  test('scalars are vectors of one; parameters without elements have no blocks', () => {
    const parameters = [
      { name: 'scalar', shape: [] },
      { name: 'empty', shape: [4, 0] },
    ]
    for (const merge of [undefined, { threshold: 16, target: 1 }]) {
      const plan = planBlocks(parameters, { blockSize: 8, merge })
      expect(plan.buckets.map(({ shape, blocks }) => [shape, blocks.length])).toEqual([[[1], 1]])
    }
  })

  test('every element of a third-order tensor is in exactly one block, and scattering inverts gathering', () => {
    const shape = [5, 4, 7]
    const plan = planBlocks([{ name: 'w', shape }], { blockSize: 3, merge: undefined })
    const parameter = count(140)
    const back = new Float32Array(140).fill(-1)
    const seen: number[] = []
    for (const { blocks, size } of plan.buckets) {
      const stack = new Float32Array(blocks.length * size)
      blocks.forEach((block, index) => {
        gatherBlock(block, parameter, stack, index * size)
        scatterBlock(block, stack, index * size, back)
      })
      seen.push(...stack)
    }
    expect(seen.sort((a, b) => a - b)).toEqual([...parameter])
    expect(back).toEqual(parameter)
  })

  test('scatterBlock writes its block only; blockRuns are views of it', () => {
    const block = planBlocks([{ name: 'w', shape: [2, 4] }], { blockSize: 2, merge: undefined }).buckets[0]!.blocks[1]!
    const target = new Float32Array(8)
    scatterBlock(block, Float32Array.of(9, 1, 2, 3, 4), 1, target)
    expect([...target]).toEqual([0, 0, 1, 2, 0, 0, 3, 4])
    const runs = blockRuns(block, target, new Views()) as Float32Array[]
    expect(runs.map((run) => [...run])).toEqual([
      [1, 2],
      [3, 4],
    ])
    runs[1]![0] = 7
    expect(target[6]).toBe(7)
  })
})

describe('rotateModes', () => {
  test('moves the first dimension of every tensor to the end', () => {
    expect([...rotateModes(count(12), 2, 3, 2)]).toEqual([0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11])
  })

  test('k rotations of a tensor of order k are the identity', () => {
    let stack = count(2 * 60)
    for (const dimension of [3, 4, 5]) stack = rotateModes(stack, 2, dimension, 60 / dimension) as typeof stack
    expect(stack).toEqual(count(120))
  })
})
