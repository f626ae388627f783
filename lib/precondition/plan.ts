import { type Merge, mergeDimensions, splitDimension } from './merge.js'

/** Name and shape of a parameter. */
export interface ParameterSpec {
  readonly name: string
  readonly shape: readonly number[]
}

/** A box of a parameter that has factors of its own. */
export interface Block {
  /** Index of the parameter. */
  readonly parameter: number
  /** Index of the block within its parameter, row-major over the grid of blocks. */
  readonly index: number
  readonly shape: readonly number[]
  /** Element offsets, within the parameter, of the contiguous runs that make up the block, in order. */
  readonly starts: readonly number[]
  /** Elements of a run. */
  readonly run: number
}

/** All blocks of one shape: they are stacked and served by one native call. */
export interface Bucket {
  readonly shape: readonly number[]
  /** Elements of a block. */
  readonly size: number
  readonly blocks: readonly Block[]
}

/** How the parameters of a group are cut and stacked. */
export interface Plan {
  readonly parameters: readonly ParameterSpec[]
  /** Shape of each parameter after merging. */
  readonly merged: readonly (readonly number[])[]
  readonly buckets: readonly Bucket[]
}

/** How to cut. */
export interface PlanOptions {
  /** Every dimension is cut into pieces of at most this many elements. */
  readonly blockSize: number
  /** undefined: dimensions stay as they are (a scalar counts as a vector of one element). */
  readonly merge: Merge | undefined
}

/**
 * Cuts every parameter into blocks and collects blocks of equal shape, across all parameters, in buckets. Buckets come
 * in the order in which their shape first appears; blocks in the order of parameters. A parameter without elements has
 * no blocks.
 */
export function planBlocks(parameters: readonly ParameterSpec[], options: PlanOptions): Plan {
  const merged = parameters.map(({ shape }) => mergedShape(shape, options.merge))
  const buckets = new Map<string, { shape: readonly number[]; blocks: Block[] }>()
  merged.forEach((shape, parameter) => {
    cut(shape, options.blockSize).forEach((box, index) => {
      const key = box.shape.join('x')
      const bucket = buckets.get(key) ?? { shape: box.shape, blocks: [] }
      buckets.set(key, bucket)
      bucket.blocks.push({ parameter, index, shape: box.shape, ...contiguousRuns(shape, box) })
    })
  })
  return {
    parameters,
    merged,
    buckets: [...buckets.values()].map(({ shape, blocks }) => ({ shape, blocks, size: elements(shape) })),
  }
}

/** Number of elements of a shape. */
export function elements(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1)
}

function mergedShape(shape: readonly number[], merge: Merge | undefined): readonly number[] {
  if (merge !== undefined) return mergeDimensions(shape, merge)
  return shape.length === 0 ? [1] : shape
}

interface Box {
  readonly start: readonly number[]
  readonly shape: readonly number[]
}

/** Grid of boxes, row-major: the product of the pieces of every dimension. */
function cut(shape: readonly number[], blockSize: number): readonly Box[] {
  return shape.reduce<readonly Box[]>(
    (boxes, dimension) =>
      boxes.flatMap((box) =>
        splitDimension(dimension, blockSize).map((length, piece) => ({
          start: [...box.start, piece * blockSize],
          shape: [...box.shape, length],
        })),
      ),
    [{ start: [], shape: [] }],
  )
}

/**
 * A box of a row-major tensor as equal contiguous runs. Trailing dimensions that the box covers whole, and the first
 * one to their left that it covers in part, are one run.
 */
function contiguousRuns(shape: readonly number[], box: Box): { starts: readonly number[]; run: number } {
  let outer = shape.length
  let run = 1
  while (outer > 0) {
    outer--
    run *= box.shape[outer]!
    if (box.shape[outer] !== shape[outer]) break
  }
  const strides = shape.map((_, dimension) => elements(shape.slice(dimension + 1)))
  const origin = box.start.reduce((offset, start, dimension) => offset + start * strides[dimension]!, 0)
  let starts: number[] = [origin]
  for (let dimension = 0; dimension < outer; dimension++) {
    const stride = strides[dimension]!
    starts = starts.flatMap((start) => Array.from({ length: box.shape[dimension]! }, (_, i) => start + i * stride))
  }
  return { starts, run }
}
