// Parameters as matrices, equal shapes in one stack, for rules with one factor a side: a step takes a fixed number of native
// calls a shape, however many parameters there are.
import type { Device } from '../../device.js'
import { matmul } from '../../linalg/matmul.js'
import { elements, planBlocks } from '../../precondition/plan.js'
import type { Tensor } from '../../tensor.js'
import { updateAll } from '../elementwise.js'
import type { Gradients, ParameterSpec } from '../rule.js'
import type { Parts } from '../tensor-pool.js'

/** What multiplies one side of every matrix of a stack. */
export interface Side {
  /** `dense`: a matrix [size, size]; `diagonal`: [size, 1]. */
  readonly kind: 'dense' | 'diagonal'
  readonly size: number
}

/** A stack [members, rows, columns]. */
export interface Stack {
  readonly rows: number
  readonly columns: number
  /** Indices of the parameters. */
  readonly members: readonly number[]
  /** Left and right; the right one is undefined for vectors, which are columns. */
  readonly left: Side
  readonly right: Side | undefined
}

/**
 * Parameters by shape: dimensions of size 1 are dropped, and those from the second on are taken as one. Parameters without
 * elements are in no stack.
 */
export function stacksOf(
  parameters: readonly ParameterSpec[],
  kindOf: (size: number, total: number) => Side['kind'],
): Stack[] {
  const whole = Number.MAX_SAFE_INTEGER
  return planBlocks(parameters, { blockSize: whole, merge: { threshold: whole, target: 2 } }).buckets.map((bucket) => {
    const [rows = 1, columns] = bucket.shape
    const side = (size: number): Side => ({ size, kind: kindOf(size, bucket.size) })
    return {
      rows,
      columns: columns ?? 1,
      members: bucket.blocks.map(({ parameter }) => parameter),
      left: side(rows),
      right: columns === undefined ? undefined : side(columns),
    }
  })
}

/** Copies the arrays of the members that have one into their parts, and zeros elsewhere. */
export function gatherMembers(device: Device, stack: Stack, arrays: Gradients, into: Parts): void {
  const entries = stack.members.map((parameter, index) => {
    const direction = into.parts[index]!
    const gradient = arrays[parameter]
    if (gradient) return { gradient, direction, fromGradient: 1 }
    direction.write(new Float32Array(direction.size))
    return null
  })
  updateAll(device, 'combine', entries)
}

/** The diagonals of a side, spread over the matrices: [members, rows, columns] with l_i r_j, where a dense side counts 1. */
export function spreadDiagonals(stack: Stack, left: Tensor | undefined, right: Tensor | undefined, out: Tensor): void {
  const { device } = out
  using rows = left === undefined ? ones(device, [1, stack.rows, 1]) : undefined
  using columns = right === undefined ? ones(device, [1, stack.columns, 1]) : undefined
  // Where both are ones there is nothing to spread, and nobody asks.
  matmul(left ?? rows!, right ?? columns!, { transposeB: true, out })
}

/** Sums over the other side of squares that are given: [members, size, 1]. */
export function sumSquares(stack: Stack, squares: Tensor, side: 'left' | 'right', out: Tensor): void {
  const { device } = out
  using summed = ones(device, side === 'left' ? [1, stack.columns, 1] : [1, stack.rows, 1])
  matmul(squares, summed, { transposeA: side === 'right', out })
}

function ones(device: Device, shape: readonly number[]): Tensor {
  return device.tensor(new Float32Array(elements(shape)).fill(1), shape)
}

/** The names of the members, for slots. */
export function memberNames(stack: Stack, parameters: readonly ParameterSpec[]): readonly string[] {
  return stack.members.map((parameter) => parameters[parameter]!.name)
}

/** Directions: parts of the stacks for the parameters that have a gradient. */
export function memberDirections(stacks: readonly (readonly [Stack, Parts])[], gradients: Gradients): Gradients {
  const directions: (Tensor | Float32Array | null)[] = gradients.map((gradient) => gradient && new Float32Array(0))
  for (const [{ members }, { parts }] of stacks) {
    members.forEach((parameter, index) => {
      if (gradients[parameter]) directions[parameter] = parts[index]!
    })
  }
  return directions
}
