// The power iteration of Dion over stacks of matrices: P R^T is the part of B = outputs x inputs in the span of P.
import type { Device } from '../../device.js'
import { matmul } from '../../linalg/matmul.js'
import { qr } from '../../linalg/qr.js'
import { reduce } from '../../linalg/reduce.js'
import type { Tensor } from '../../tensor.js'
import { updateAll } from '../elementwise.js'
import { normalNoise } from '../noise.js'
import type { Gradients } from '../rule.js'
import type { Parts } from '../tensor-pool.js'
import { normalizeSlices } from './slices.js'
import type { MatrixStack, MatrixStacks } from './stacks.js'

/** A stack with its momentum and bases. */
export interface DionStack extends MatrixStack {
  readonly rank: number
  /** M, [matrices, rows, columns]. */
  readonly momentum: Parts
  /** Q, and R on its way to the next Q, [matrices, inputs, rank]. */
  readonly basis: Parts
  readonly image: Parts
  /** P, and the triangle that comes with it. */
  readonly left: Tensor
  readonly triangle: Tensor
}

/** A matrix whose parameter has a gradient. */
export interface Present {
  readonly stack: DionStack
  readonly index: number
}

/** Q of a matrix before the first step, [inputs, rank]. */
export function initialBasis(name: string, block: number, inputs: number, rank: number, seed: number): Float32Array {
  return normalNoise(`dion/${seed}/${name}/${block}`, inputs * rank)
}

export function withBasis(
  { pool, parameters }: MatrixStacks,
  stack: MatrixStack,
  rankFor: (shorter: number) => number,
  seed: number,
): DionStack {
  const { bucket, outputs, inputs } = stack
  const matrices = bucket.blocks.length
  const rank = rankFor(Math.min(outputs, inputs))
  const basis = pool.parts(matrices, [inputs, rank])
  bucket.blocks.forEach(({ parameter, index }, matrix) => {
    basis.parts[matrix]!.write(initialBasis(parameters[parameter]!.name, index, inputs, rank, seed))
  })
  return {
    ...stack,
    rank,
    momentum: pool.parts(matrices, bucket.shape),
    basis,
    image: pool.parts(matrices, [inputs, rank]),
    left: pool.zeros([matrices, outputs, rank]),
    triangle: pool.zeros([matrices, rank, rank]),
  }
}

/** P, R, and P R^T in `output`; returns which matrices have no P of this step. They keep the one before. */
export function iteratePower(stack: DionStack, gradients: Gradients): readonly number[] {
  const { neurons, momentum, basis, image, left, triangle, output, bucket, ledger } = stack
  const isRows = neurons === 'rows'
  using product = matmul(momentum.tensor, basis.tensor, { transposeA: !isRows })
  const { report } = qr(product, { out: { q: left, r: triangle } })
  const failed = ledger.record(report, (index) => gradients[bucket.blocks[index]!.parameter] !== null)
  matmul(momentum.tensor, left, { transposeA: isRows, out: image.tensor })
  const [a, b] = isRows ? [left, image.tensor] : [image.tensor, left]
  matmul(a, b, { transposeB: true, out: output.tensor })
  return failed
}

/** Of fp32, without denormal numbers. */
const SMALLEST = 2 ** -126

/** R with columns of length 1, which is the next Q; where R is zero, Q stays and the direction is zero. */
export function normalizeImages(
  device: Device,
  present: readonly Present[],
  stacks: readonly DionStack[],
  epsilon: number,
): void {
  const images = present.map(({ stack, index }) => stack.image.parts[index]!)
  const largest = reduce(
    device,
    'largest',
    images.map((x) => ({ x })),
  )
  updateAll(
    device,
    'combine',
    images.map((image, index) => ({
      gradient: image,
      direction: image,
      fromGradient: 1 / Math.max(largest[index]!, SMALLEST),
    })),
  )
  for (const { image } of stacks) normalizeSlices(image.tensor, 'columns', epsilon)
  updateAll(
    device,
    'combine',
    present.map(({ stack, index }, position) =>
      largest[position]! > 0
        ? { gradient: images[position]!, direction: stack.basis.parts[index], fromGradient: 1 }
        : null,
    ),
  )
}
