import type { Device } from '../device.js'
import { elementwiseUpdate } from '../linalg/elementwise-update.js'
import { reduce } from '../linalg/reduce.js'
import { type ParameterArray, withViews } from './arrays.js'
import { blockRuns } from './blocks.js'
import type { Block, Plan } from './plan.js'

/** What one norm is taken over: a block, or a parameter with all its blocks. */
export type GraftScope = 'block' | 'layer'

/**
 * Gives directions the Frobenius norms of the directions of another method:
 *
 *     D <- D |graft|_F / (|D|_F + 1e-16)
 *
 * per block or per layer, in place. Source: Agarwal et al., Disentangling Adaptive Gradient Methods from Learning
 * Rates, arXiv 2002.11803; the constant is Distributed Shampoo's.
 */
export function graftNorms(
  device: Device,
  plan: Plan,
  directions: readonly (ParameterArray | null)[],
  grafts: readonly (ParameterArray | null)[],
  scope: GraftScope,
  isIncluded: (block: Block) => boolean = () => true,
): void {
  const blocks = plan.buckets
    .flatMap((bucket) => bucket.blocks)
    .filter((block) => directions[block.parameter] && grafts[block.parameter] && isIncluded(block))
  if (blocks.length === 0) return
  const own = blockNorms(device, blocks, directions)
  const wanted = blockNorms(device, blocks, grafts)
  if (scope === 'layer') {
    shareByParameter(blocks, own)
    shareByParameter(blocks, wanted)
  }
  withViews((views) => {
    const scaled = blocks.flatMap((block, index) => {
      const fromGradient = own[index] === 0 ? 0 : wanted[index]! / (own[index]! + 1e-16)
      return blockRuns(block, directions[block.parameter]!, views).map((run) => ({
        gradient: run,
        direction: run,
        fromGradient,
      }))
    })
    elementwiseUpdate(device, 'combine', scaled)
  })
}

/** Frobenius norms of blocks, accumulated in fp64. */
function blockNorms(
  device: Device,
  blocks: readonly Block[],
  parameters: readonly (ParameterArray | null)[],
): Float64Array {
  return withViews((views) => {
    const runs = blocks.map((block) => blockRuns(block, parameters[block.parameter]!, views).map((x) => ({ x })))
    const squares = reduce(device, 'dot', runs.flat())
    let next = 0
    return Float64Array.from(runs, (ofBlock) => Math.sqrt(ofBlock.reduce((sum) => sum + squares[next++]!, 0)))
  })
}

/** Replaces the norm of every block by the norm of its whole parameter. */
function shareByParameter(blocks: readonly Block[], norms: Float64Array): void {
  const squares = new Map<number, number>()
  blocks.forEach((block, index) => {
    squares.set(block.parameter, (squares.get(block.parameter) ?? 0) + norms[index]! ** 2)
  })
  blocks.forEach((block, index) => {
    norms[index] = Math.sqrt(squares.get(block.parameter)!)
  })
}
