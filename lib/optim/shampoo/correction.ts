// Second moments in the eigenbases of a bucket, in place of the eigenvalues of its factors.
import type { Device } from '../../device.js'
import { disposeArrays, emptyTensor, type ParameterArray, withViews } from '../../precondition/arrays.js'
import { intoBases, outOfBases } from '../../precondition/bases.js'
import { type BucketFactors, isStarted } from '../../precondition/factors.js'
import type { Tensor } from '../../tensor.js'
import { updateAll } from '../elementwise.js'
import type { Gradients } from '../rule.js'

/** How eigenvalues are corrected; checked. */
export interface CorrectionSettings {
  /** Period in steps of the second moment. */
  readonly every: (step: number) => number
  /** Decay of the second moment. */
  readonly beta: (step: number) => number
  readonly isCorrected: boolean
  /** Added below the root. */
  readonly epsilon: (step: number) => number
}

/** Second moment of the blocks of a bucket. */
export interface Correction {
  /** [blocks, ...], zero at first. */
  readonly second: Tensor
  /** What is left of its zero start values, by block. */
  readonly start: Float64Array
  readonly rotated: Tensor
  /** Blocks of order > 2, which the bucket keeps on the host. */
  readonly carrier: Tensor | undefined
}

export function createCorrection(device: Device, { bucket, input }: BucketFactors): Correction {
  const count = bucket.blocks.length
  const shape = bucket.shape.length === 1 ? [count, ...bucket.shape, 1] : [count, ...bucket.shape]
  return {
    second: emptyTensor(device, shape),
    start: new Float64Array(count).fill(1),
    rotated: emptyTensor(device, shape),
    carrier: input === undefined ? emptyTensor(device, shape) : undefined,
  }
}

export function disposeCorrection({ second, rotated, carrier }: Correction): void {
  disposeArrays([second, rotated, carrier])
}

/** V <- beta V + (1 - beta) (G x_1 Q_1^T ... x_k Q_k^T)^2 for the blocks that have bases; the gradients are stacked. */
export function correct(
  group: BucketFactors,
  correction: Correction,
  gradients: Gradients,
  { beta }: CorrectionSettings,
  step: number,
): void {
  const { size, blocks } = group.bucket
  const present = blocks.flatMap((block, index) =>
    gradients[block.parameter] && isStarted(group, index) ? [index] : [],
  )
  if (present.length === 0) return
  const { second, start, rotated } = correction
  intoBases(group, stacked(group, correction), rotated)
  const decay = beta(step)
  for (const index of present) start[index]! *= decay
  withViews((views) => {
    const moves = present.map((index) => ({
      gradient: views.of(rotated, index * size, size),
      v: views.of(second, index * size, size),
      vDecay: decay,
      vWeight: 1 - decay,
      epsilon: 1,
    }))
    updateAll(rotated.device, 'adam', moves)
  })
}

/** D = Q_1 .. Q_k ((M in the bases) / sqrt(V + epsilon)) of what is stacked. Returns where the results are. */
export function applyCorrected(
  group: BucketFactors,
  correction: Correction,
  { isCorrected, epsilon }: CorrectionSettings,
  step: number,
): ParameterArray {
  const { size, blocks } = group.bucket
  const { second, start, rotated } = correction
  const from = stacked(group, correction)
  intoBases(group, from, rotated)
  withViews((views) => {
    const moves = blocks.map((_, index) => {
      const z = views.of(rotated, index * size, size)
      return {
        gradient: z,
        direction: z,
        fromGradient: 1,
        v: views.of(second, index * size, size),
        vDecay: 1,
        vScale: isCorrected && start[index]! < 1 ? 1 / (1 - start[index]!) : 1,
        epsilonInside: epsilon(step),
      }
    })
    updateAll(rotated.device, 'adam', moves)
  })
  const out = group.output ?? from
  outOfBases(group, rotated, out)
  if (group.stack === undefined) return out
  out.read(group.stack)
  return group.stack
}

/** What is stacked, as a tensor. */
function stacked(group: BucketFactors, { carrier }: Correction): Tensor {
  if (group.input !== undefined) return group.input
  carrier!.write(group.stack!)
  return carrier!
}
