import { gram } from '../linalg/gram.js'
import { kronSquares } from '../linalg/kron-solve.js'
import { matmul } from '../linalg/matmul.js'
import { reduce } from '../linalg/reduce.js'
import type { Tensor } from '../tensor.js'
import { cast, type ParameterArray, type Run, runsOf, withViews } from './arrays.js'
import type { BucketFactors, Factor } from './factors.js'
import { rotateModes } from './unfold.js'

/** What a statistic is taken of, instead of the gradient itself, and its weight. */
export type StatisticSource = (dimension: number) => { readonly x: Tensor | Float32Array; readonly weight: number }

/**
 * One step of the factor statistics of a bucket. With G_(i) the unfolding of a block's gradient along dimension i,
 *
 *     C_i <- beta C_i + (1 - beta) G_(i) G_(i)^T      0 <= beta < 1, an exponential moving average
 *     C_i <- C_i + G_(i) G_(i)^T                      beta = 1, a sum
 *
 * of which diagonal factors keep the diagonal, for all blocks and, where the order is at most 2, one native call a dimension.
 * Blocks whose parameter has no gradient in this step (null) keep their statistics to the bit.
 *
 * The gradients must have been stacked (stackBlocks).
 *
 * @param source what G is replaced by, dimension by dimension: whitened gradients.
 * @param share which of several gradients of one step this is: the first lets the average decay, each weighs its part.
 */
export function accumulateStatistics(
  group: BucketFactors,
  gradients: readonly (ParameterArray | null)[],
  average: number,
  source?: StatisticSource,
  { index, count } = { index: 0, count: 1 },
): void {
  const { blocks } = group.bucket
  const runs = runsOf(blocks.length, (block) => gradients[blocks[block]!.parameter] !== null)
  if (runs.length === 0) return
  noteSeen(group)
  const weight = (average === 1 ? 1 : 1 - average) / count
  const beta = index === 0 ? average : 1
  if (group.input !== undefined) addMatrices(group, runs, { alpha: weight, beta }, source)
  else addTensors(group, runs, { alpha: weight, beta }, source)
  if (average === 1 || index > 0) return
  for (const { from, to } of runs) for (let block = from; block < to; block++) group.startWeight[block]! *= average
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

interface Weights {
  readonly alpha: number
  readonly beta: number
}

function addMatrices(group: BucketFactors, runs: readonly Run[], weights: Weights, source?: StatisticSource): void {
  group.factors.forEach((factor, dimension) => {
    if (factor === undefined) return
    const { x, weight } = source?.(dimension) ?? { x: group.input!, weight: 1 }
    const scaled = { alpha: weights.alpha * weight, beta: weights.beta }
    withViews((views) => {
      for (const run of runs) {
        factor.statistic.change(run, (out) => addMatrixGrams(factor, views.matrices(x as Tensor, run), out, scaled))
      }
    })
  })
}

/** alpha X X^T or alpha X^T X into the statistic of neighbouring blocks, or the diagonal of that. */
function addMatrixGrams(factor: Factor, x: Tensor, out: Tensor, weights: Weights): void {
  const isLeft = factor.dimension === 0
  if (factor.kind === 'full') {
    addGram(x, isLeft ? 'left' : 'right', out, weights)
    return
  }
  const { device, shape } = x
  using squares = device.empty(shape)
  kronSquares(x, null, null, { into: squares, beta: 0, weight: 1 })
  const inner = shape[isLeft ? 2 : 1]!
  using ones = device.tensor(new Float32Array(inner).fill(1), [inner, 1])
  matmul(squares, ones, { transposeA: !isLeft, ...weights, out })
}

/** In the precision of `out`. */
function addGram(x: Tensor, side: 'left' | 'right', out: Tensor, weights: Weights): void {
  if (out.dtype === 'f32') {
    gram(x, { side, ...weights, out })
    return
  }
  using wide = cast(x, 'f64')
  gram(wide, { side, ...weights, out })
}

function addTensors(group: BucketFactors, runs: readonly Run[], weights: Weights, source?: StatisticSource): void {
  const { shape, size } = group.bucket
  group.factors.forEach((factor, dimension) => {
    if (factor === undefined) return
    const { x, weight } = source?.(dimension) ?? { x: group.stack!, weight: 1 }
    const length = shape[dimension]!
    const { device } = factor.solved
    for (const run of runs) {
      const blocks = (x as Float32Array).subarray(run.from * size, run.to * size)
      using matrix = device.tensor(unfolded(blocks, shape, run.to - run.from, dimension), [
        run.to - run.from,
        length,
        size / length,
      ])
      factor.statistic.change(run, (out) => {
        addGram(matrix, 'left', out, { alpha: weights.alpha * weight, beta: weights.beta })
      })
    }
  })
}

/** Unfoldings along a dimension: after as many rotations it is the first one. */
function unfolded(blocks: Float32Array, shape: readonly number[], count: number, dimension: number): Float32Array {
  let rotated = blocks
  for (let i = 0; i < dimension; i++) {
    rotated = rotateModes(rotated, count, shape[i]!, blocks.length / count / shape[i]!)
  }
  return rotated
}

function hasNonZero(stack: Float32Array, offset: number, length: number): boolean {
  for (let i = offset; i < offset + length; i++) if (stack[i] !== 0) return true
  return false
}
