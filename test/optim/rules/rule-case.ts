import type { Rule } from '../../../lib/optim/index.js'
import type { GroupModel } from '../models/model.js'
import type { Oracle } from '../oracle.js'

export interface RuleCase {
  readonly name: string
  /** The oracle answers the callbacks of rules that take some; the others ignore it. */
  readonly make: (oracle: Oracle) => Rule
  /** The fp64 model of the same options. */
  readonly model: (oracle: Oracle) => GroupModel
  readonly shapes: readonly (readonly number[])[]
  /** Largest |D - model| / |model| (Frobenius, a parameter) over 50 steps. */
  readonly tolerance: number
  /** Learning rate with which the rule solves the conformance problems. */
  readonly lr: number
  /** The first step that moves parameters. Default 1. */
  readonly firstMove?: number
  /** Whether the count of the optimizer matters, not only that of the parameter: refresh schedules. */
  readonly hasSchedule?: boolean
  /** Whether the direction of a parameter depends on the others of its group. */
  readonly isCoupled?: boolean
  /** Part of the weight decay that the first step shows, for rules that average or extrapolate. Default 1. */
  readonly decayShare?: number
  /** Whether gradients from callbacks enter the direction; then an L2 term must enter them, too. */
  readonly asksForGradients?: boolean
}

/** Different orders; equal shapes, so that stacking is at work; a scalar. */
export const ANY_SHAPES: RuleCase['shapes'] = [[6, 4], [5], [6, 4], [4, 6], [3, 2, 4], [], [6, 4]]

export const MATRICES: RuleCase['shapes'] = [
  [6, 4],
  [4, 6],
  [6, 4],
  [5, 5],
  [3, 2, 2],
]
