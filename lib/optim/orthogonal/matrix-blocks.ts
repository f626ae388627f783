// Weights as matrices, and the blocks of one matrix that are orthogonalized apart: fused projections and attention heads.
import { checkFields, KronrootError, shown } from '../../errors.js'
import { type Block, type Bucket, elements } from '../../precondition/plan.js'
import { numberIn, oneOf, optionError } from '../../schedule/validate.js'
import type { ParameterSpec } from '../rule.js'

/** One value for all parameters of the group, or values by parameter name. */
export type PerParameter<Value> = Value | Readonly<Record<string, Value>>

/** How weights become matrices, and which blocks of them are treated apart. */
export interface MatrixOptions {
  /**
   * Which dimension of a weight counts its outputs: `first` (PyTorch, [out, in, ...]) or `last` (jax and TensorFlow,
   * [..., in, out]). It decides how tensors of order > 2 become matrices and what the scale of the update sees. Default
   * `first`.
   */
  readonly outputs?: 'first' | 'last'
  /**
   * Sizes into which a side of a weight is split, such as [d, d, d] of a fused query, key and value projection; they add up to
   * that side. For all parameters of the group, or by name. Default: whole.
   */
  readonly splits?: PerParameter<readonly number[]>
  /** Number of equal parts of a weight, or of each of its splits: attention heads. For all parameters, or by name. Default 1. */
  readonly heads?: PerParameter<number>
  /** The side that `splits` and `heads` cut; for all parameters, or by name. Default `outputs`. */
  readonly side?: PerParameter<'outputs' | 'inputs'>
}

export const MATRIX_FIELDS = ['outputs', 'splits', 'heads', 'side'] as const

/** {@link MatrixOptions}, checked. */
export interface MatrixLayout {
  readonly owner: string
  readonly outputs: 'first' | 'last'
  readonly splits: ByName<readonly number[]>
  readonly heads: ByName<number>
  readonly side: ByName<'outputs' | 'inputs'>
}

interface ByName<Value> {
  /** Names that the caller declared; undefined where one value is for all. */
  readonly names: readonly string[] | undefined
  readonly of: (name: string) => Value | undefined
}

export function matrixLayout(owner: string, options: MatrixOptions): MatrixLayout {
  const sizes = (field: string, value: unknown) => {
    if (!Array.isArray(value) || value.length === 0) throw optionError(owner, field, value, 'a list of sizes')
    for (const size of value) numberIn(owner, field, size, { min: 1, integer: true })
    return value as readonly number[]
  }
  const count = (field: string, value: unknown) => numberIn(owner, field, value, { min: 1, integer: true })
  const side = (field: string, value: unknown) => oneOf(owner, field, value, ['outputs', 'inputs'] as const)
  return {
    owner,
    outputs: oneOf(owner, 'outputs', options.outputs ?? 'first', ['first', 'last']),
    splits: byName('splits', options.splits, sizes),
    heads: byName('heads', options.heads, count),
    side: byName('side', options.side, side),
  }
}

function byName<Value>(
  field: string,
  declared: PerParameter<Value> | undefined,
  check: (field: string, value: unknown) => Value,
): ByName<Value> {
  if (declared === undefined) return { names: undefined, of: () => undefined }
  if (typeof declared === 'object' && declared !== null && !Array.isArray(declared)) {
    const values = new Map(Object.entries(declared).map(([name, value]) => [name, check(`${field}['${name}']`, value)]))
    return { names: [...values.keys()], of: (name) => values.get(name) }
  }
  const value = check(field, declared)
  return { names: undefined, of: () => value }
}

/** Matrix shape of a weight: outputs are the first or the last dimension, everything else is the other side. */
function matrixShape(
  owner: string,
  { name, shape }: ParameterSpec,
  outputs: 'first' | 'last',
): readonly [rows: number, columns: number] {
  if (shape.length < 2) {
    throw new KronrootError(
      'ERR_SHAPE',
      `${owner}: ${name} has shape [${shape.join(', ')}], but only weights of two or more dimensions can be orthogonalized; ` +
        'put biases, norms and other vectors in a group with another rule, for example adamw()',
    )
  }
  const size = elements(shape)
  if (size === 0) return [0, 0]
  const first = shape[0]!
  const last = shape[shape.length - 1]!
  return outputs === 'first' ? [first, size / first] : [size / last, last]
}

/** Blocks of equal shape, of all parameters together. Parameters without elements have none. */
export function matrixBuckets(parameters: readonly ParameterSpec[], layout: MatrixLayout): readonly Bucket[] {
  checkNames(parameters, layout)
  const buckets = new Map<string, { shape: readonly number[]; blocks: Block[] }>()
  parameters.forEach((spec, parameter) => {
    for (const block of blocksOf(spec, parameter, layout)) {
      const key = block.shape.join('x')
      const bucket = buckets.get(key) ?? { shape: block.shape, blocks: [] }
      buckets.set(key, bucket)
      bucket.blocks.push(block)
    }
  })
  return [...buckets.values()].map(({ shape, blocks }) => ({ shape, blocks, size: elements(shape) }))
}

function checkNames(parameters: readonly ParameterSpec[], layout: MatrixLayout): void {
  const known = parameters.map(({ name }) => name)
  for (const field of ['splits', 'heads', 'side'] as const) {
    const names = layout[field].names ?? []
    checkFields(`${layout.owner}: ${field}`, Object.fromEntries(names.map((name) => [name, true])), known)
  }
}

function blocksOf(spec: ParameterSpec, parameter: number, layout: MatrixLayout): readonly Block[] {
  const { owner, outputs } = layout
  const [rows, columns] = matrixShape(owner, spec, outputs)
  if (rows * columns === 0) return []
  const cutsOutputs = (layout.side.of(spec.name) ?? 'outputs') === 'outputs'
  const cutsRows = cutsOutputs === (outputs === 'first')
  let start = 0
  return pieces(spec, cutsRows ? rows : columns, layout).map((length, index) => {
    const block = cutsRows
      ? { shape: [length, columns], starts: [start * columns], run: length * columns }
      : {
          shape: [rows, length],
          starts: Array.from({ length: rows }, (_, row) => row * columns + start),
          run: length,
        }
    start += length
    return { parameter, index, ...block }
  })
}

/** Lengths into which a side of `total` is cut. */
function pieces({ name }: ParameterSpec, total: number, { owner, splits, heads }: MatrixLayout): readonly number[] {
  const split = splits.of(name) ?? [total]
  const sum = split.reduce((partial, length) => partial + length, 0)
  if (sum !== total) {
    throw new KronrootError(
      'ERR_SHAPE',
      `${owner}: splits of ${name}, ${shown(split)}, add up to ${sum}, not to ${total}`,
    )
  }
  const count = heads.of(name) ?? 1
  return split.flatMap((length) => {
    if (length % count !== 0) {
      throw new KronrootError('ERR_SHAPE', `${owner}: ${length} of ${name} cannot be cut into ${count} equal heads`)
    }
    return new Array<number>(count).fill(length / count)
  })
}
