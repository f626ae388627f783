import { gram } from '../linalg/gram.js'
import { reduce } from '../linalg/reduce.js'
import { type ParameterArray, withViews } from './arrays.js'
import { stackBlocks } from './blocks.js'
import type { BucketFactors, Factor } from './factors.js'
import { rotateModes } from './unfold.js'

/**
 * One step of the factor statistics of a bucket. With G_(i) the unfolding of a block's gradient along dimension i,
 *
 *     C_i <- beta C_i + (1 - beta) G_(i) G_(i)^T      0 <= beta < 1, an exponential moving average
 *     C_i <- C_i + G_(i) G_(i)^T                      beta = 1, a sum
 *
 * for all blocks and, where the order is at most 2, one native call a dimension. Blocks whose parameter has no gradient
 * in this step (null) keep their statistics to the bit.
 */
export function accumulateStatistics(
  group: BucketFactors,
  gradients: readonly (ParameterArray | null)[],
  beta: number,
): void {
  const { blocks } = group.bucket
  const withheld = blocks.flatMap((block, index) => (gradients[block.parameter] ? [] : [index]))
  if (withheld.length === blocks.length) return
  stackBlocks(group, gradients)
  noteSeen(group)
  const weights = { alpha: beta === 1 ? 1 : 1 - beta, beta }
  // A sum adds the zeros that stand in for an absent gradient; an average would decay, so it is put back.
  const isDecaying = beta !== 1 && withheld.length > 0
  const before = group.factors.map((factor) => (isDecaying ? factor?.statistic.data() : undefined))
  if (group.input !== undefined) addMatrixGrams(group, weights)
  else addUnfoldedGrams(group, weights)
  group.factors.forEach((factor, dimension) => {
    const kept = before[dimension]
    if (factor !== undefined && kept !== undefined) putBack(factor, kept as Float32Array, withheld)
  })
  if (beta !== 1) {
    const isWithheld = new Set(withheld)
    group.startWeight.forEach((weight, block) => {
      if (!isWithheld.has(block)) group.startWeight[block] = weight * beta
    })
  }
}

/** Remembers which blocks have had a gradient other than zero. */
function noteSeen(group: BucketFactors): void {
  const { size } = group.bucket
  const unseen = group.bucket.blocks.map((_, index) => index).filter((index) => group.seen[index] === 0)
  if (unseen.length === 0) return
  const { stack, input } = group
  const isZero =
    stack === undefined
      ? withViews((views) => {
          const places = unseen.map((index) => ({ x: views.of(input!, index * size, size) }))
          return Array.from(reduce(input!.device, 'largest', places), (largest) => largest === 0)
        })
      : unseen.map((index) => !hasNonZero(stack, index * size, size))
  unseen.forEach((index, position) => {
    if (!isZero[position]) group.seen[index] = 1
  })
}

interface GramWeights {
  readonly alpha: number
  readonly beta: number
}

function addMatrixGrams(group: BucketFactors, weights: GramWeights): void {
  const [left, right] = group.factors
  if (left !== undefined) gram(group.input!, { side: 'left', ...weights, out: left.statistic })
  if (right !== undefined) gram(group.input!, { side: 'right', ...weights, out: right.statistic })
}

function addUnfoldedGrams(group: BucketFactors, weights: GramWeights): void {
  const { shape, blocks, size } = group.bucket
  let unfolded = group.stack!
  group.factors.forEach((factor, dimension) => {
    const length = shape[dimension]!
    if (factor !== undefined) {
      const device = factor.statistic.device
      using matrix = device.tensor(unfolded, [blocks.length, length, size / length])
      gram(matrix, { side: 'left', ...weights, out: factor.statistic })
    }
    unfolded = rotateModes(unfolded, blocks.length, length, size / length)
  })
}

function putBack(factor: Factor, before: Float32Array, withheld: readonly number[]): void {
  const elements = factor.size * factor.size
  const after = factor.statistic.data() as Float32Array
  for (const block of withheld) {
    after.set(before.subarray(block * elements, (block + 1) * elements), block * elements)
  }
  factor.statistic.write(after)
}

function hasNonZero(stack: Float32Array, offset: number, length: number): boolean {
  for (let i = offset; i < offset + length; i++) if (stack[i] !== 0) return true
  return false
}
