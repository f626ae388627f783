import type { Device } from '../device.js'
import type { Tensor } from '../tensor.js'
import { held, keepsArrays } from './arrays.js'
import type { Rational } from './exponents.js'
import type { Bucket, ParameterSpec } from './plan.js'
import { FailureLedger } from './recovery.js'

/** Kronecker factor of one dimension, for all blocks of a bucket. */
export interface Factor {
  /** Dimension of the block that it belongs to, counted from 0. */
  readonly dimension: number
  /** Size d of that dimension. */
  readonly size: number
  /** The root that is applied is statistic^{-exponent}. */
  readonly exponent: Rational
  /** [blocks, d, d], zero at first: EMA or sum of the unfolded gradient's Gram matrices. */
  readonly statistic: Tensor
  /** [blocks, d, d], the identity until the first refresh. */
  readonly root: Tensor
  readonly ledger: FailureLedger
}

/** Factors of a bucket and the tensors that carry its gradients in and its directions out. All live across steps. */
export interface BucketFactors {
  readonly bucket: Bucket
  /** One entry a dimension; undefined where the dimension is left alone. */
  readonly factors: readonly (Factor | undefined)[]
  /** Host stack, [blocks, block elements]; undefined where blocks go straight to `input` and come from `output`. */
  readonly stack: Float32Array | undefined
  /** [blocks, m, n] for blocks of order 1 (n = 1) and 2; undefined for higher orders, which rotate on the host. */
  readonly input: Tensor | undefined
  readonly output: Tensor | undefined
  /** Per block: what is left of the zero start value in its statistics, the product of all beta so far. */
  readonly startWeight: Float64Array
  /** Per block: 1 once a gradient other than zero has entered. */
  readonly seen: Uint8Array
}

/** Allocates the factors of a bucket. `exponents` has one entry a dimension. */
export function createFactors(
  device: Device,
  bucket: Bucket,
  exponents: readonly (Rational | undefined)[],
  parameters: readonly ParameterSpec[],
  toleratedFailures: number,
): BucketFactors {
  const count = bucket.blocks.length
  const [rows = 1, columns = 1] = bucket.shape
  const isMatrix = bucket.shape.length <= 2
  return {
    bucket,
    factors: bucket.shape.map((size, dimension) => {
      const exponent = exponents[dimension]
      if (exponent === undefined) return undefined
      const labels = bucket.blocks.map(
        (block) =>
          `${parameters[block.parameter]!.name} block ${block.index} dimension ${dimension} (${size} x ${size})`,
      )
      return {
        dimension,
        size,
        exponent,
        statistic: held(device.empty([count, size, size], { dtype: 'f32' })),
        root: held(device.tensor(identities(count, size), [count, size, size])),
        ledger: new FailureLedger(labels, toleratedFailures),
      }
    }),
    stack: isMatrix && keepsArrays(device) ? undefined : new Float32Array(count * bucket.size),
    input: isMatrix ? held(device.empty([count, rows, columns], { dtype: 'f32' })) : undefined,
    output: isMatrix ? held(device.empty([count, rows, columns], { dtype: 'f32' })) : undefined,
    startWeight: new Float64Array(count).fill(1),
    seen: new Uint8Array(count),
  }
}

/** The factors that exist, in the order of dimensions. */
export function activeFactors(group: BucketFactors): readonly Factor[] {
  return group.factors.filter((factor) => factor !== undefined)
}

/** Frees the native memory of a bucket. */
export function disposeFactors(group: BucketFactors): void {
  for (const factor of activeFactors(group)) {
    factor.statistic.dispose()
    factor.root.dispose()
  }
  group.input?.dispose()
  group.output?.dispose()
}

function identities(count: number, size: number): Float32Array {
  const data = new Float32Array(count * size * size)
  for (let matrix = 0; matrix < count; matrix++) {
    for (let i = 0; i < size; i++) data[(matrix * size + i) * size + i] = 1
  }
  return data
}
