// Blocks of equal shape, of all weights of a group, in one stack: one native call serves them all.
import type { Device } from '../../device.js'
import { type OrthogonalizeOptions, orthogonalize } from '../../linalg/orthogonalize.js'
import { hostArray, keepsArrays } from '../../precondition/arrays.js'
import { stackBlocks, unstackBlocks } from '../../precondition/blocks.js'
import type { Bucket } from '../../precondition/plan.js'
import { FailureLedger } from '../../precondition/recovery.js'
import type { Tensor } from '../../tensor.js'
import type { BucketPlan, Gradients, ParameterSpec, SolveReport } from '../rule.js'
import { arraySlot, blockSlot, type Slot } from '../slots.js'
import { type Parts, TensorPool } from '../tensor-pool.js'
import { type MatrixLayout, matrixBuckets } from './matrix-blocks.js'
import type { Slices } from './slices.js'

/** Matrices of one shape, [matrices, rows, columns]. */
export interface MatrixStack {
  readonly bucket: Bucket
  readonly rows: number
  readonly columns: number
  /** Which slices belong to one output. */
  readonly neurons: Slices
  readonly outputs: number
  readonly inputs: number
  /** On the host; undefined where matrices go straight to `input` and come from `output`. */
  readonly host: Float32Array | undefined
  /** What is to be orthogonalized. */
  readonly input: Parts
  /** The answers. */
  readonly output: Parts
  /** What a rule keeps for each matrix, zero at first. */
  readonly kept: Parts | undefined
  readonly ledger: FailureLedger
}

/** All matrices of a group. */
export interface MatrixStacks<Stack extends MatrixStack = MatrixStack> {
  readonly parameters: readonly ParameterSpec[]
  readonly pool: TensorPool
  readonly stacks: readonly Stack[]
}

/** A matrix that got an answer in this step. */
export interface AnsweredMatrix {
  readonly stack: MatrixStack
  /** Its place in the stack. */
  readonly index: number
  readonly input: Tensor
  readonly output: Tensor
  readonly kept: Tensor | undefined
}

export interface StackOptions {
  readonly layout: MatrixLayout
  readonly toleratedFailures: number
  /** How many numbers a rule keeps for a matrix. */
  readonly keeps?: (outputs: number, inputs: number) => number
}

export function createStacks(
  parameters: readonly ParameterSpec[],
  device: Device,
  { layout, toleratedFailures, keeps }: StackOptions,
): MatrixStacks {
  const pool = new TensorPool(device)
  const stacks = matrixBuckets(parameters, layout).map((bucket) => {
    const [rows, columns] = bucket.shape as [number, number]
    const [outputs, inputs] = layout.outputs === 'first' ? [rows, columns] : [columns, rows]
    const count = bucket.blocks.length
    return {
      bucket,
      rows,
      columns,
      neurons: layout.outputs === 'first' ? ('rows' as const) : ('columns' as const),
      outputs,
      inputs,
      host: keepsArrays(device) ? undefined : hostArray(count * bucket.size),
      input: pool.parts(count, bucket.shape),
      output: pool.parts(count, bucket.shape),
      kept: keeps && pool.parts(count, [keeps(outputs, inputs)]),
      ledger: new FailureLedger(
        bucket.blocks.map(({ parameter }) => parameters[parameter]!.name),
        toleratedFailures,
      ),
    }
  })
  return { parameters, pool, stacks }
}

/**
 * Stacks the sources and orthogonalizes them, one native call a stack; matrices of absent sources are zero there.
 *
 * @returns which matrices are answered, and the parameters of those that failed.
 */
export function orthogonalizeStacks(
  { stacks }: MatrixStacks,
  sources: Gradients,
  iteration: OrthogonalizeOptions,
): { readonly answered: readonly AnsweredMatrix[]; readonly failed: ReadonlySet<number> } {
  const failed = new Set<number>()
  const answered = stacks.flatMap((stack) => {
    const { bucket, host, input, output, kept, ledger } = stack
    const isThere = (index: number) => sources[bucket.blocks[index]!.parameter] !== null
    if (!bucket.blocks.some((_, index) => isThere(index))) return []
    stackBlocks({ bucket, stack: host, input: input.tensor }, sources)
    const { report } = orthogonalize(input.tensor, { ...iteration, out: output.tensor })
    const unanswered = new Set(ledger.record(report, isThere))
    for (const index of unanswered) failed.add(bucket.blocks[index]!.parameter)
    return bucket.blocks.flatMap((_, index) =>
      isThere(index) && !unanswered.has(index)
        ? [{ stack, index, input: input.parts[index]!, output: output.parts[index]!, kept: kept?.parts[index] }]
        : [],
    )
  })
  return { answered, failed }
}

/** Copies the answers back to their places in the directions that are not null. */
export function unstackAnswers({ stacks }: MatrixStacks, directions: Gradients): void {
  for (const { bucket, host, input, output } of stacks) {
    if (!bucket.blocks.some(({ parameter }) => directions[parameter] !== null)) continue
    if (host !== undefined) output.tensor.read(host)
    unstackBlocks({ bucket, stack: host, input: input.tensor }, host ?? output.tensor, directions)
  }
}

/** Slots of the failure counts and of tensors with one part a matrix, by their names. */
export function stackSlots<Stack extends MatrixStack>(
  { parameters, stacks }: MatrixStacks<Stack>,
  tensorsOf: (stack: Stack) => Readonly<Record<string, Tensor>> = () => ({}),
): readonly Slot[] {
  const counts = new Map<number, number>()
  for (const { bucket } of stacks)
    for (const { parameter } of bucket.blocks) counts.set(parameter, (counts.get(parameter) ?? 0) + 1)
  return stacks.flatMap((stack) => {
    const keys = (field: string) =>
      stack.bucket.blocks.map(({ parameter, index }) => {
        const key = `${parameters[parameter]!.name}/${field}`
        return counts.get(parameter) === 1 ? key : `${key}.${index}`
      })
    return [
      ...keys('failures').map((key, index) => arraySlot(key, stack.ledger.consecutive, index, 1)),
      ...Object.entries(tensorsOf(stack)).map(([field, tensor]) => blockSlot(tensor, keys(field))),
    ]
  })
}

export function reportStacks({ stacks }: MatrixStacks): readonly SolveReport[] {
  return stacks.map(({ rows, columns, ledger }) => ({ factor: `${rows}x${columns}`, ...ledger.summary() }))
}

/** Bytes of the stacks, those on the host included. */
export function stackBytes({ pool, stacks }: MatrixStacks): number {
  return pool.bytes + stacks.reduce((sum, { host }) => sum + (host?.byteLength ?? 0), 0)
}

export function planOfStacks({ stacks }: MatrixStacks, kernels: readonly string[]): readonly BucketPlan[] {
  return stacks.map(({ bucket }) => ({ shape: bucket.shape, blocks: bucket.blocks.length, kernels }))
}
