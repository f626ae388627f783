import type { Block } from './plan.js'

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

/** The contiguous runs of a block of a parameter, as views. */
export function blockRuns(block: Block, parameter: Float32Array): readonly Float32Array[] {
  return block.starts.map((start) => parameter.subarray(start, start + block.run))
}
