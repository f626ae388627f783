import { kronApply } from '../linalg/kron-apply.js'
import { modeProduct } from '../linalg/mode-product.js'
import type { BucketFactors } from './factors.js'

/**
 * Applies the roots of a bucket: X x_1 R_1 x_2 R_2 ... x_k R_k (mode products) for every block of the host stack, which
 * is overwritten with the result, in one native call.
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

function applyToTensors(group: BucketFactors): void {
  const { shape, blocks } = group.bucket
  const roots = group.factors.map((factor) => factor?.root ?? null)
  const { device } = roots.find((root) => root !== null)!
  const tensors = device.tensor(group.stack, [blocks.length, ...shape])
  const products = modeProduct(tensors, roots)
  products.read(group.stack)
  tensors.dispose()
  products.dispose()
}
