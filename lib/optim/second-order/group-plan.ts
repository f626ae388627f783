import type { BucketPlan, RulePlan } from '../rule.js'
import type { GroupSpace } from './group-space.js'

/** What a rule over whole groups holds and does. */
export interface GroupCost {
  readonly flopsPerStep: number
  /** Bytes besides those of the space. */
  readonly bytes?: number
  /** Calls on matrices: their shape and what is done with them. Default: none. */
  readonly matrix?: { readonly shape: readonly number[]; readonly kernels: readonly string[]; readonly calls: number }
}

/** Plan of a rule whose state is vectors of the group. */
export function groupPlan(rule: string, space: GroupSpace, cost: GroupCost): RulePlan {
  const { matrix } = cost
  const buckets: readonly BucketPlan[] =
    matrix === undefined ? [] : [{ shape: matrix.shape, blocks: 1, kernels: matrix.kernels }]
  return {
    rule,
    parameters: space.parameters.length,
    elements: space.size,
    buckets,
    bytes: space.bytes + (cost.bytes ?? 0),
    flopsPerStep: cost.flopsPerStep,
    flopsPerRefresh: 0,
    nativeCallsPerStep: matrix?.calls ?? 0,
    nativeCallsPerRefresh: 0,
  }
}
