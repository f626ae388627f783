// Dual maps of the modular norm, by role: for a gradient G, the T of norm 1 with the largest <G, T>, which is the dual norm of G.
import type { Device } from '../../device.js'
import type { OrthogonalizeOptions } from '../../linalg/orthogonalize.js'
import { reduce } from '../../linalg/reduce.js'
import type { ParameterArray } from '../../precondition/arrays.js'
import { stackBlocks } from '../../precondition/blocks.js'
import { updateAll } from '../elementwise.js'
import type { Gradients } from '../rule.js'
import { normalizeSlices } from './slices.js'
import { type MatrixStacks, orthogonalizeStacks } from './stacks.js'

/** A gradient x and its T = factor t. */
export interface DualPair {
  /** Index of the parameter. */
  readonly parameter: number
  readonly x: ParameterArray
  readonly t: ParameterArray
  readonly factor: number
}

/** Linear maps, RMS to RMS operator norm sqrt(in / out) |W|_2: T = sqrt(out / in) U V^T. `failed` have none. */
export function linearPairs(
  matrices: MatrixStacks,
  sources: Gradients,
  iteration: OrthogonalizeOptions,
): { readonly pairs: readonly DualPair[]; readonly failed: ReadonlySet<number> } {
  const { answered, failed } = orthogonalizeStacks(matrices, sources, iteration)
  const pairs = answered.map(({ stack: { bucket, outputs, inputs }, index, input, output }) => ({
    parameter: bucket.blocks[index]!.parameter,
    x: input,
    t: output,
    factor: Math.sqrt(outputs / inputs),
  }))
  return { pairs, failed }
}

/** Of fp32, without denormal numbers. */
const SMALLEST = 2 ** -126

/** Embedding tables, l1 to RMS: the vectors of T have root mean square 1, those of tokens that have no gradient are 0. */
export function embeddingPairs(device: Device, { stacks }: MatrixStacks, sources: Gradients): readonly DualPair[] {
  const pairs = stacks.flatMap(({ bucket, host, input, output, inputs }) => {
    if (!bucket.blocks.some(({ parameter }) => sources[parameter])) return []
    stackBlocks({ bucket, stack: host, input: input.tensor }, sources)
    return bucket.blocks.flatMap(({ parameter }, index) =>
      sources[parameter]
        ? [{ parameter, x: input.parts[index]!, t: output.parts[index]!, factor: Math.sqrt(inputs) }]
        : [],
    )
  })
  if (pairs.length === 0) return pairs
  const largest = reduce(
    device,
    'largest',
    pairs.map(({ x }) => ({ x })),
  )
  updateAll(
    device,
    'combine',
    pairs.map(({ x, t }, index) => ({
      gradient: x,
      direction: t,
      fromGradient: 1 / Math.max(largest[index]!, SMALLEST),
    })),
  )
  for (const { output, neurons } of stacks) normalizeSlices(output.tensor, neurons)
  return pairs
}

/** Vectors and scalars, largest entry: T = sign(G). Goes to `directions`. */
export function signPairs(
  device: Device,
  parameters: readonly number[],
  sources: Gradients,
  directions: readonly ParameterArray[],
): readonly DualPair[] {
  const pairs = parameters.flatMap((parameter) => {
    const x = sources[parameter]
    return x ? [{ parameter, x, t: directions[parameter]!, factor: 1 }] : []
  })
  updateAll(
    device,
    'sign',
    pairs.map(({ x, t }) => ({ gradient: x, direction: t, fromGradient: 1 })),
  )
  return pairs
}
