import { countElements } from '../describe.js'
import type { ParameterSpec, RulePlan } from '../rule.js'
import type { Side, Stack } from './matrix-stacks.js'

/** A stack of matrices and the sides for which it keeps factors. */
export interface FactoredStack {
  readonly stack: Stack
  readonly factors: readonly { readonly side: Side }[]
}

/** What a rule does with a stack of matrices m x n. */
export interface StackCost {
  readonly rule: string
  readonly bytes: number
  /** Native operations of a side, as in `gram x 2`. */
  kernels(kind: Side['kind']): string
  /** Floating-point operations an element, a dense side of d times the elements, and times d^3. */
  readonly flops: { readonly element: number; readonly product: number; readonly cube: number }
  /** Native calls of a stack that has dense sides, and of each of them. */
  readonly calls: { readonly dense: number; readonly side: number }
}

/** Plan of a rule that keeps dense or diagonal factors for stacks; diagonals take two calls a stack and one a side. */
export function stackPlan(
  parameters: readonly ParameterSpec[],
  stacks: readonly FactoredStack[],
  { rule, bytes, kernels, flops, calls }: StackCost,
): RulePlan {
  const costs = stacks.map(({ stack: { rows, columns, members }, factors }) => {
    const dense = factors.filter(({ side }) => side.kind === 'dense')
    const diagonal = factors.length - dense.length
    const elements = rows * columns
    const sides = dense.reduce(
      (sum, { side: { size } }) => sum + flops.product * size * elements + flops.cube * size ** 3,
      0,
    )
    return {
      plan: { shape: [rows, columns], blocks: members.length, kernels: factors.map(({ side }) => kernels(side.kind)) },
      flops: members.length * (flops.element * elements + sides),
      calls: (dense.length > 0 ? calls.dense : 0) + calls.side * dense.length + (diagonal > 0 ? 2 : 0) + diagonal,
    }
  })
  return {
    rule,
    parameters: parameters.length,
    elements: countElements(parameters),
    buckets: costs.map(({ plan }) => plan),
    bytes,
    flopsPerStep: costs.reduce((sum, cost) => sum + cost.flops, 0),
    flopsPerRefresh: 0,
    nativeCallsPerStep: costs.reduce((sum, cost) => sum + cost.calls, 0),
    nativeCallsPerRefresh: 0,
  }
}
