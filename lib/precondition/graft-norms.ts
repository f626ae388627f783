import { blockNorm } from './blocks.js'
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
  plan: Plan,
  directions: readonly (Float32Array | null)[],
  grafts: readonly (Float32Array | null)[],
  scope: GraftScope,
): void {
  const blocks = plan.buckets.flatMap((bucket) => bucket.blocks)
  const norms = (arrays: readonly (Float32Array | null)[]) =>
    blocks.map((block) => (arrays[block.parameter] ? blockNorm(block, arrays[block.parameter]!) : 0))
  const present = (block: Block) => directions[block.parameter] && grafts[block.parameter]
  const own = norms(directions)
  const wanted = norms(grafts)
  if (scope === 'layer') {
    shareByParameter(blocks, own)
    shareByParameter(blocks, wanted)
  }
  blocks.forEach((block, index) => {
    if (present(block)) scaleBlock(block, directions[block.parameter]!, wanted[index]! / (own[index]! + 1e-16))
  })
}

/** Replaces the norm of every block by the norm of its whole parameter. */
function shareByParameter(blocks: readonly Block[], norms: number[]): void {
  const squares = new Map<number, number>()
  blocks.forEach((block, index) => {
    squares.set(block.parameter, (squares.get(block.parameter) ?? 0) + norms[index]! ** 2)
  })
  blocks.forEach((block, index) => {
    norms[index] = Math.sqrt(squares.get(block.parameter)!)
  })
}

function scaleBlock(block: Block, parameter: Float32Array, scale: number): void {
  for (const start of block.starts) {
    for (let i = start; i < start + block.run; i++) parameter[i]! *= scale
  }
}
