import type { Device } from '../device.js'
import type { Tensor } from '../tensor.js'
import { emptyTensor, held, hostArray, keepsArrays, reserve } from './arrays.js'
import type { Rational } from './exponents.js'
import type { Bucket, ParameterSpec } from './plan.js'
import { FailureLedger } from './recovery.js'
import type { FactorKind } from './sides.js'
import { type StatisticStorage, StatisticStore } from './statistic-store.js'

/** Kronecker factor of one dimension, for all blocks of a bucket. */
export interface Factor {
  /** Dimension of the block that it belongs to, counted from 0. */
  readonly dimension: number
  /** Size d of that dimension. */
  readonly size: number
  readonly kind: Exclude<FactorKind, 'none'>
  /** The root of a full or diagonal factor is statistic^{-exponent}; rules that keep eigenbases ignore it. */
  readonly exponent: Rational
  /** EMA or sum of the unfolded gradient's Gram matrices, or their diagonals. */
  readonly statistic: StatisticStore
  /**
   * What the last refresh made of the statistic: its inverse root or its eigenbasis, [blocks, d, d]; for a diagonal factor
   * what the block is divided by, [blocks, d].
   */
  readonly solved: Tensor
  /** Step whose statistics are behind `solved`, by block; 0 before the first answer. */
  readonly refreshedAt: Int32Array
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
  /** Per block: 1 from the step at which its refresh is due until it is made; it waits for a gradient. */
  readonly due: Uint8Array
}

/** What the factors of a bucket are made of. */
export interface FactorOptions {
  /** One entry a dimension. */
  readonly kinds: readonly FactorKind[]
  /** One entry a dimension; undefined leaves it alone. */
  readonly exponents: readonly (Rational | undefined)[]
  readonly toleratedFailures: number
  readonly storage: StatisticStorage
  /** What `solved` is before the first refresh: the identity, or zero. */
  readonly start: 'identity' | 'zero'
}

/** Allocates the factors of a bucket. */
export function createFactors(
  device: Device,
  bucket: Bucket,
  parameters: readonly ParameterSpec[],
  options: FactorOptions,
): BucketFactors {
  const count = bucket.blocks.length
  const [rows = 1, columns = 1] = bucket.shape
  const isMatrix = bucket.shape.length <= 2
  return {
    bucket,
    factors: bucket.shape.map((_, dimension) => createFactor(device, bucket, parameters, dimension, options)),
    stack: isMatrix && keepsArrays(device) ? undefined : hostArray(count * bucket.size),
    input: isMatrix ? emptyTensor(device, [count, rows, columns]) : undefined,
    output: isMatrix ? emptyTensor(device, [count, rows, columns]) : undefined,
    startWeight: new Float64Array(count).fill(1),
    seen: new Uint8Array(count),
    due: new Uint8Array(count),
  }
}

function createFactor(
  device: Device,
  bucket: Bucket,
  parameters: readonly ParameterSpec[],
  dimension: number,
  { kinds, exponents, toleratedFailures, storage, start }: FactorOptions,
): Factor | undefined {
  const exponent = exponents[dimension]
  const kind = kinds[dimension]!
  if (exponent === undefined || kind === 'none') return undefined
  const size = bucket.shape[dimension]!
  const count = bucket.blocks.length
  const labels = bucket.blocks.map(
    (block) => `${parameters[block.parameter]!.name} block ${block.index} dimension ${dimension} (${size} x ${size})`,
  )
  const isFull = kind === 'full'
  reserve(4 * count * size * (isFull ? size : 1))
  const first = isFull
    ? identities(start === 'identity' ? count : 0, count, size)
    : new Float32Array(count * size).fill(1)
  return {
    dimension,
    size,
    kind,
    exponent,
    statistic: new StatisticStore(device, count, size, isFull, storage),
    solved: held(device.tensor(first, isFull ? [count, size, size] : [count, size])),
    refreshedAt: new Int32Array(count),
    ledger: new FailureLedger(labels, toleratedFailures),
  }
}

/** The factors that exist, in the order of dimensions. */
export function activeFactors(group: BucketFactors): readonly Factor[] {
  return group.factors.filter((factor) => factor !== undefined)
}

/** Whether all factors of a block have had an answer. */
export function isStarted(group: BucketFactors, block: number): boolean {
  return group.factors.every((factor) => factor === undefined || factor.refreshedAt[block]! > 0)
}

/** Frees the native memory of a bucket. */
export function disposeFactors(group: BucketFactors): void {
  for (const factor of activeFactors(group)) {
    factor.statistic.dispose()
    factor.solved.dispose()
  }
  group.input?.dispose()
  group.output?.dispose()
}

/** `count` matrices of which the first `ones` are identities and the others zero. */
function identities(ones: number, count: number, size: number): Float32Array {
  const data = new Float32Array(count * size * size)
  for (let matrix = 0; matrix < ones; matrix++) {
    for (let i = 0; i < size; i++) data[(matrix * size + i) * size + i] = 1
  }
  return data
}
