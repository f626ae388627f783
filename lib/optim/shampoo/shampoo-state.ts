import type { Device } from '../../device.js'
import type { RootMethod } from '../../linalg/inverse-root.js'
import type { ParameterArray } from '../../precondition/arrays.js'
import type { ExponentOverride } from '../../precondition/exponents.js'
import { activeFactors, type BucketFactors } from '../../precondition/factors.js'
import type { GraftScope } from '../../precondition/graft-norms.js'
import type { Merge } from '../../precondition/merge.js'
import { elements, type Plan } from '../../precondition/plan.js'
import type { RefreshTiming } from '../../precondition/refresh.js'
import type { ridgeAt } from '../../precondition/ridge.js'
import type { RootOptions } from '../../precondition/roots.js'
import { countElements } from '../describe.js'
import type { FilterState, GradientFilter } from '../filter.js'
import type { Graft } from '../graft.js'
import type { HeavyBall, HeavyBallState } from '../heavy-ball.js'
import type { BucketPlan, RulePlan, SolveReport } from '../rule.js'
import { arraySlot, blockSlot, renamedSlot, type Slot } from '../slots.js'

/** Checked options of Shampoo. */
export interface ShampooSettings {
  readonly beta2: (step: number) => number
  readonly isSum: boolean
  readonly isCorrected: boolean
  readonly blockSize: number
  readonly merge: Merge | undefined
  readonly exponents: ExponentOverride
  readonly ridge: ReturnType<typeof ridgeAt>
  readonly root: RootOptions
  readonly timing: RefreshTiming
  readonly filter: GradientFilter
  readonly graft: Graft | undefined
  readonly graftScope: GraftScope
  readonly heavyBall: HeavyBall | undefined
  readonly toleratedFailures: number
}

/** State of Shampoo. */
export interface ShampooState {
  readonly device: Device
  readonly plan: Plan
  readonly groups: readonly BucketFactors[]
  /** Directions, one a parameter. */
  readonly directions: readonly ParameterArray[]
  readonly filter: FilterState
  readonly graft: unknown
  readonly heavyBall: HeavyBallState | undefined
}

/** Everything a bit-exact continuation needs, by parameter, block and dimension. */
export function shampooSlots(state: ShampooState, settings: ShampooSettings): readonly Slot[] {
  return [
    ...settings.filter.slots(state.filter),
    ...state.groups.flatMap((group) => factorSlots(group, state.plan, settings)),
    ...(settings.graft?.rule?.slots(state.graft) ?? []).map((slot) => renamedSlot(slot, graftKey)),
    ...(state.heavyBall === undefined ? [] : (settings.heavyBall?.slots(state.heavyBall) ?? [])),
  ]
}

/** `encoder.0/second` -> `encoder.0/graft.second`. */
function graftKey(key: string): string {
  const end = key.lastIndexOf('/') + 1
  return `${key.slice(0, end)}graft.${key.slice(end)}`
}

function factorSlots(group: BucketFactors, plan: Plan, settings: ShampooSettings): readonly Slot[] {
  const prefixes = group.bucket.blocks.map((block) => `${plan.parameters[block.parameter]!.name}/block${block.index}`)
  const perBlock = prefixes.flatMap((prefix, block) => [
    arraySlot(`${prefix}.seen`, group.seen, block, 1),
    ...(settings.isSum ? [] : [arraySlot(`${prefix}.startWeight`, group.startWeight, block, 1)]),
  ])
  const perFactor = activeFactors(group).flatMap(({ dimension, statistic, root, ledger }) => {
    const keys = (field: string) => prefixes.map((prefix) => `${prefix}.${field}${dimension}`)
    return [
      blockSlot(statistic, keys('statistic')),
      blockSlot(root, keys('root')),
      ...keys('failures').map((key, block) => arraySlot(key, ledger.consecutive, block, 1)),
    ]
  })
  return [...perBlock, ...perFactor]
}

/** Health of the solves, one entry a bucket and dimension. */
export function reportShampoo(state: ShampooState): readonly SolveReport[] {
  return state.groups.flatMap((group) =>
    activeFactors(group).map(({ dimension, ledger }) => ({
      factor: `${group.bucket.shape.join('x')} dimension ${dimension}`,
      ...ledger.summary(),
    })),
  )
}

/**
 * Cost of the root of one n x n matrix in multiples of n^3: eigh about 10, minimax 5 K - 4 at K = 6 iterations, the others
 * by their usual number of iterations times the products of one (ops.h). The planner (auto) is counted as partial fractions.
 */
const ROOT_COST: Record<RootMethod, number> = {
  auto: 4,
  eigh: 10,
  minimax: 26,
  'coupled-newton': 60,
  'higher-order': 50,
  'newton-db': 90,
  cans: 72,
  chebyshev: 100,
  rational: 30,
  'partial-fractions': 4,
}

/** What Shampoo holds and does. */
export function describeShampoo(state: ShampooState, settings: ShampooSettings): RulePlan {
  const specs = state.plan.parameters
  const total = countElements(specs)
  const graft = settings.graft?.rule?.describe(state.graft)
  const buckets = state.groups.map((group) => bucketCost(group, settings))
  const sum = (pick: (cost: BucketCost) => number) => buckets.reduce((partial, cost) => partial + pick(cost), 0)
  const arrays = 1 + (state.filter.parameters.length > 0 ? 2 : 0) + (state.heavyBall === undefined ? 0 : 1)
  return {
    rule: graft === undefined ? 'shampoo' : `shampoo (graft ${graft.rule})`,
    parameters: specs.length,
    elements: total,
    buckets: buckets.map(({ plan }) => plan),
    bytes: 4 * arrays * total + sum((cost) => cost.bytes) + (graft?.bytes ?? 0),
    flopsPerStep: 6 * total + sum((cost) => cost.flopsPerStep) + (graft?.flopsPerStep ?? 0),
    flopsPerRefresh: sum((cost) => cost.flopsPerRefresh),
    nativeCallsPerStep: sum((cost) => cost.callsPerStep) + (graft?.nativeCallsPerStep ?? 0),
    nativeCallsPerRefresh: sum((cost) => cost.callsPerRefresh),
  }
}

interface BucketCost {
  readonly plan: BucketPlan
  readonly bytes: number
  readonly flopsPerStep: number
  readonly flopsPerRefresh: number
  readonly callsPerStep: number
  readonly callsPerRefresh: number
}

function bucketCost(group: BucketFactors, settings: ShampooSettings): BucketCost {
  const { bucket } = group
  const factors = activeFactors(group)
  const blocks = bucket.blocks.length
  const sum = (pick: (size: number) => number) => factors.reduce((partial, { size }) => partial + pick(size), 0)
  const isMatrix = group.input !== undefined
  const applyCalls = factors.length === 0 ? 0 : 1
  const inFlight = (isMatrix ? 3 : 1) * blocks * elements(bucket.shape)
  return {
    plan: { shape: bucket.shape, blocks, kernels: kernelNames(factors.length, isMatrix, settings) },
    bytes: 4 * (inFlight + 2 * blocks * sum((n) => n * n)),
    // Gram matrix of an unfolding n x (size / n): n size, by symmetry. Mode product: 2 n size.
    flopsPerStep: blocks * sum((n) => 3 * n * bucket.size),
    flopsPerRefresh: blocks * sum((n) => ROOT_COST[settings.root.method ?? 'auto'] * n ** 3),
    callsPerStep: factors.length + applyCalls,
    callsPerRefresh: factors.length,
  }
}

function kernelNames(factors: number, isMatrix: boolean, settings: ShampooSettings): readonly string[] {
  if (factors === 0) return []
  return [
    `gram x ${factors}`,
    `inverseRoot (${settings.root.method ?? 'auto'}) x ${factors}`,
    isMatrix ? 'kronApply' : 'modeProduct',
  ]
}
