import { kronApply } from '../linalg/kron-apply.js'
import { kronSolve } from '../linalg/kron-solve.js'
import { modeProduct } from '../linalg/mode-product.js'
import type { Tensor } from '../tensor.js'
import type { ParameterArray } from './arrays.js'
import type { BucketFactors, Factor } from './factors.js'

/**
 * Applies the roots of a bucket: X x_1 R_1 x_2 R_2 ... x_k R_k (mode products) for every block that was stacked, in one
 * native call for the full factors and one for the diagonal ones.
 *
 * @param omitted a dimension whose root is left out.
 * @returns where the results are: in the host stack, which they overwrite, or in a tensor of the bucket.
 */
export function applyRoots(group: BucketFactors, omitted?: number): ParameterArray {
  const { input, stack } = group
  if (input === undefined) return applyToTensors(group, stack!, stack!, omitted)
  const applied = applyToMatrices(group, omitted)
  if (stack === undefined) return applied
  if (applied !== input) applied.read(stack)
  return stack
}

/** The same for blocks of order 1 and 2, from `input`, which stays as it is: `output`, or `input` where nothing is applied. */
export function applyToMatrices(group: BucketFactors, omitted?: number): Tensor {
  const { input, output, factors } = group
  const [left, right] = factors.map((factor, dimension) => (dimension === omitted ? undefined : factor))
  const full = (factor: Factor | undefined) => (factor?.kind === 'full' ? factor.solved : null)
  const diagonal = (factor: Factor | undefined) => (factor?.kind === 'diagonal' ? { values: factor.solved } : null)
  let applied = input!
  if (full(left) !== null || full(right) !== null) {
    applied = kronApply(full(left), applied, full(right), { out: output! })
  }
  if (diagonal(left) !== null || diagonal(right) !== null) {
    kronSolve(applied, diagonal(left), diagonal(right), { damping: 'none', out: output! })
    applied = output!
  }
  return applied
}

/** The same for blocks of higher order, from one host stack into another or the same. */
export function applyToTensors(
  group: BucketFactors,
  stack: Float32Array,
  into: Float32Array,
  omitted?: number,
): Float32Array {
  const { shape, blocks } = group.bucket
  const roots = group.factors.map((factor, dimension) => (dimension === omitted ? null : (factor?.solved ?? null)))
  const first = roots.find((root) => root !== null)
  if (first === undefined) {
    if (into !== stack) into.set(stack)
    return into
  }
  using tensors = first!.device.tensor(stack, [blocks.length, ...shape])
  using products = modeProduct(tensors, roots)
  products.read(into)
  return into
}
