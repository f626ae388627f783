import { kronApply } from '../linalg/kron-apply.js'
import { modeProduct } from '../linalg/mode-product.js'
import type { ParameterArray } from './arrays.js'
import type { BucketFactors } from './factors.js'

/**
 * Applies the roots of a bucket: X x_1 R_1 x_2 R_2 ... x_k R_k (mode products) for every block that was stacked, in one
 * native call. Returns where the results are: in the host stack, which they overwrite, or in a tensor of the bucket.
 */
export function applyRoots(group: BucketFactors): ParameterArray {
  const { input, output, stack } = group
  if (group.factors.every((factor) => factor === undefined)) return stack ?? input!
  if (input === undefined) return applyToTensors(group, stack!)
  const [left, right] = group.factors
  kronApply(left?.root ?? null, input, right?.root ?? null, { out: output! })
  if (stack === undefined) return output!
  output!.read(stack)
  return stack
}

function applyToTensors(group: BucketFactors, stack: Float32Array): Float32Array {
  const { shape, blocks } = group.bucket
  const roots = group.factors.map((factor) => factor?.root ?? null)
  const { device } = roots.find((root) => root !== null)!
  using tensors = device.tensor(stack, [blocks.length, ...shape])
  using products = modeProduct(tensors, roots)
  products.read(stack)
  return stack
}
