import { kronApply } from '../linalg/kron-apply.js'
import { matmul } from '../linalg/matmul.js'
import type { BucketFactors } from './factors.js'
import { rotateModes } from './unfold.js'

/**
 * Applies the roots of a bucket: X x_1 R_1 x_2 R_2 ... x_k R_k (mode products) for every block of the host stack, which
 * is overwritten with the result. Order 1 and 2 are one native call, R_1 X R_2; higher orders one call a dimension.
 */
export function applyRoots(group: BucketFactors): void {
  if (group.factors.every((factor) => factor === undefined)) return
  if (group.input !== undefined) applyToMatrices(group)
  else applyToTensors(group)
}

function applyToMatrices(group: BucketFactors): void {
  const [left, right] = group.factors
  group.input!.write(group.stack)
  kronApply(left?.root ?? null, group.input!, right?.root ?? null, { out: group.output! })
  group.output!.read(group.stack)
}

/** X^T R with X the unfolding (d, rest) and R symmetric is the mode product, already rotated to (rest, d). */
function applyToTensors(group: BucketFactors): void {
  const { shape, blocks, size } = group.bucket
  let unfolded = group.stack
  group.factors.forEach((factor, dimension) => {
    const length = shape[dimension]!
    if (factor === undefined) {
      unfolded = rotateModes(unfolded, blocks.length, length, size / length)
      return
    }
    const matrix = factor.root.device.tensor(unfolded, [blocks.length, length, size / length])
    const product = matmul(matrix, factor.root, { transposeA: true })
    unfolded = product.data() as Float32Array
    matrix.dispose()
    product.dispose()
  })
  group.stack.set(unfolded)
}
