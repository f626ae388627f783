import { Tensor } from '../tensor.js'
import { copyAll, onHost, type ParameterArray, type Views, withViews } from './arrays.js'
import type { BucketFactors } from './factors.js'
import type { Block } from './plan.js'

/** Blocks of one shape and where they are stacked. */
export type BlockStack = Pick<BucketFactors, 'bucket' | 'stack' | 'input'>

/** Copies a block of a parameter into a stack of blocks, from element `offset` of the stack on. */
export function gatherBlock(block: Block, parameter: Float32Array, stack: Float32Array, offset: number): void {
  let target = offset
  for (const start of block.starts) {
    stack.set(parameter.subarray(start, start + block.run), target)
    target += block.run
  }
}

/** Copies a block from element `offset` of a stack back to its place in a parameter. */
export function scatterBlock(block: Block, stack: Float32Array, offset: number, parameter: Float32Array): void {
  let source = offset
  for (const start of block.starts) {
    parameter.set(stack.subarray(source, source + block.run), start)
    source += block.run
  }
}

/** The contiguous runs of a block of a parameter. */
export function blockRuns(block: Block, parameter: ParameterArray, views: Views): readonly ParameterArray[] {
  return block.starts.map((start) => views.of(parameter, start, block.run))
}

/** Fills the stack of a bucket, and its input tensor, with blocks of the arrays; zeros where there is none. */
export function stackBlocks(group: BlockStack, arrays: readonly (ParameterArray | null)[]): void {
  const { blocks, size } = group.bucket
  const { stack, input } = group
  if (stack === undefined) {
    withViews((views) => {
      const copies = blocks.flatMap((block, index) => {
        const array = arrays[block.parameter]
        if (array) return runCopies(block, array, input!, index * size, views)
        const place = views.of(input!, index * size, size) as Tensor
        place.write(new Float32Array(size))
        return []
      })
      copyAll(input!.device, copies)
    })
    return
  }
  const hosts = arrays.map((array) => array && onHost(array))
  blocks.forEach((block, index) => {
    const source = hosts[block.parameter]
    if (source) gatherBlock(block, source, stack, index * size)
    else stack.fill(0, index * size, (index + 1) * size)
  })
  input?.write(stack)
}

/** Copies the blocks of a stack back to their places in the arrays that are not null. */
export function unstackBlocks(
  group: BlockStack,
  stack: ParameterArray,
  arrays: readonly (ParameterArray | null)[],
): void {
  const { blocks, size } = group.bucket
  if (Tensor.isTensor(stack)) {
    withViews((views) => {
      const copies = blocks.flatMap((block, index) => {
        const array = arrays[block.parameter]
        return array ? runCopies(block, array, stack, index * size, views) : []
      })
      copyAll(
        stack.device,
        copies.map(({ from, to }) => ({ from: to, to: from })),
      )
    })
    return
  }
  blocks.forEach((block, index) => {
    const array = arrays[block.parameter]
    if (!array) return
    const host = onHost(array)
    scatterBlock(block, stack, index * size, host)
    if (Tensor.isTensor(array)) array.write(host)
  })
}

/** A block's runs and their places in the stack. */
function runCopies(block: Block, parameter: ParameterArray, stack: Tensor, offset: number, views: Views) {
  return blockRuns(block, parameter, views).map((from, run) => ({
    from,
    to: views.of(stack, offset + run * block.run, block.run),
  }))
}
