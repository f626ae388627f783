import type { Device } from '../../device.js'
import type { RootMethod } from '../../linalg/inverse-root.js'
import type { ParameterArray } from '../../precondition/arrays.js'
import type { BasisUpdate } from '../../precondition/bases.js'
import type { ExponentOverride } from '../../precondition/exponents.js'
import { activeFactors, type BucketFactors } from '../../precondition/factors.js'
import type { GraftScope } from '../../precondition/graft-norms.js'
import type { Merge } from '../../precondition/merge.js'
import { elements, type Plan } from '../../precondition/plan.js'
import type { RefreshTiming } from '../../precondition/refresh.js'
import type { Refresher, StatisticScaling } from '../../precondition/refresher.js'
import type { ridgeAt } from '../../precondition/ridge.js'
import type { RootOptions } from '../../precondition/roots.js'
import type { Sides } from '../../precondition/sides.js'
import type { StatisticStorage } from '../../precondition/statistic-store.js'
import { countElements } from '../describe.js'
import type { FilterState, GradientFilter } from '../filter.js'
import type { Graft } from '../graft.js'
import type { HeavyBall, HeavyBallState } from '../heavy-ball.js'
import type { BucketPlan, RulePlan } from '../rule.js'
import { arraySlot, blockSlot, renamedSlot, type Slot } from '../slots.js'
import type { Correction, CorrectionSettings } from './correction.js'
import { blockPrefixes, factorSlots } from './factor-slots.js'

/** Checked options of a rule that preconditions with roots. */
export interface RootSettings {
  readonly name: string
  /** Whether the statistic of a dimension is that of the gradient whitened along the others (KL-Shampoo). */
  readonly isWhitened: boolean
  /** Second moments in the eigenbases take the place of roots. */
  readonly correction: (CorrectionSettings & { readonly update: BasisUpdate }) | undefined
  readonly beta2: (step: number) => number
  readonly isSum: boolean
  readonly scaling: StatisticScaling
  readonly storage: StatisticStorage
  readonly blockSize: number
  readonly merge: Merge | undefined
  readonly sides: Sides
  /** How many dimensions of a block the exponent is shared among. */
  sharers(shape: readonly number[]): number
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

/** Its state. */
export interface RootState {
  readonly device: Device
  readonly plan: Plan
  readonly groups: readonly BucketFactors[]
  readonly refresher: Refresher
  /** By bucket; none where roots are applied. */
  readonly corrections: readonly Correction[]
  /** Directions, one a parameter. */
  readonly directions: readonly ParameterArray[]
  readonly filter: FilterState
  readonly graft: unknown
  readonly heavyBall: HeavyBallState | undefined
}

/** Everything a bit-exact continuation needs, by parameter, block and dimension. */
export function rootSlots(state: RootState, settings: RootSettings): readonly Slot[] {
  return [
    ...settings.filter.slots(state.filter),
    ...factorSlots(state, settings.correction === undefined ? 'root' : 'basis', {
      isSum: settings.isSum,
      isStaggered: settings.timing.isStaggered,
    }),
    ...state.corrections.flatMap((correction, index) => correctionSlots(correction, state.groups[index]!, state.plan)),
    ...(settings.graft?.rule?.slots(state.graft) ?? []).map((slot) => renamedSlot(slot, graftKey)),
    ...(state.heavyBall === undefined ? [] : (settings.heavyBall?.slots(state.heavyBall) ?? [])),
  ]
}

function correctionSlots({ second, start }: Correction, group: BucketFactors, plan: Plan): readonly Slot[] {
  const prefixes = blockPrefixes(group, plan)
  return [
    blockSlot(
      second,
      prefixes.map((prefix) => `${prefix}.second`),
    ),
    ...prefixes.map((prefix, block) => arraySlot(`${prefix}.secondStart`, start, block, 1)),
  ]
}

/** `encoder.0/second` -> `encoder.0/graft.second`. */
function graftKey(key: string): string {
  const end = key.lastIndexOf('/') + 1
  return `${key.slice(0, end)}graft.${key.slice(end)}`
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

/** What it holds and does. */
export function describeRoots(state: RootState, settings: RootSettings): RulePlan {
  const specs = state.plan.parameters
  const total = countElements(specs)
  const graft = settings.graft?.rule?.describe(state.graft)
  const buckets = state.groups.map((group) => bucketCost(group, settings))
  const sum = (pick: (cost: BucketCost) => number) => buckets.reduce((partial, cost) => partial + pick(cost), 0)
  const arrays = 1 + (state.filter.parameters.length > 0 ? 2 : 0) + (state.heavyBall === undefined ? 0 : 1)
  return {
    rule: graft === undefined ? settings.name : `${settings.name} (graft ${graft.rule})`,
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

function bucketCost(group: BucketFactors, settings: RootSettings): BucketCost {
  const { bucket } = group
  const factors = activeFactors(group)
  const full = factors.filter(({ kind }) => kind === 'full')
  const diagonal = factors.length - full.length
  const blocks = bucket.blocks.length
  const sum = (pick: (size: number) => number) => full.reduce((partial, { size }) => partial + pick(size), 0)
  const isMatrix = group.input !== undefined
  const applyCalls = (full.length > 0 ? 1 : 0) + (diagonal > 0 ? 1 : 0)
  // A diagonal takes squares and their sums. Whitening applies the roots of the other dimensions for each of them.
  const statisticsCalls = full.length + 2 * diagonal
  const whiteningCalls = settings.isWhitened && factors.length > 1 ? factors.length : 0
  // Second moment, what is in the bases, and a tensor for blocks that are stacked on the host.
  const corrected = settings.correction === undefined ? 0 : isMatrix ? 2 : 3
  const inFlight = ((isMatrix ? 3 : 1) + corrected) * blocks * elements(bucket.shape)
  const rotations = settings.correction === undefined || full.length === 0 ? 0 : 3
  return {
    plan: { shape: bucket.shape, blocks, kernels: kernelNames(full.length, diagonal, isMatrix, settings) },
    bytes:
      4 * (inFlight + blocks * (sum((n) => n * n) + diagonalElements(group))) +
      factors.reduce((total, { statistic }) => total + statistic.bytes, 0),
    // Gram matrix of an unfolding n x (size / n): n size, by symmetry. Mode product: 2 n size.
    flopsPerStep: blocks * sum((n) => (settings.isWhitened ? 5 : rotations > 0 ? 7 : 3) * n * bucket.size),
    flopsPerRefresh: blocks * sum((n) => solveCost(settings) * n ** 3),
    callsPerStep: statisticsCalls + whiteningCalls + (rotations > 0 ? rotations : applyCalls),
    callsPerRefresh: (settings.correction === undefined ? 1 : 4) * full.length,
  }
}

/** Multiples of n^3 that a solve costs; bases with the cosines between the old and the new one. */
function solveCost({ correction, root }: RootSettings): number {
  if (correction === undefined) return ROOT_COST[root.method ?? 'auto']
  return correction.update === 'iterate' ? 9 : 12
}

function diagonalElements(group: BucketFactors): number {
  return activeFactors(group).reduce((sum, { kind, size }) => sum + (kind === 'diagonal' ? size : 0), 0)
}

function kernelNames(full: number, diagonal: number, isMatrix: boolean, settings: RootSettings): readonly string[] {
  const { correction, root } = settings
  const solve =
    correction === undefined
      ? `inverseRoot (${root.method ?? 'auto'}) x ${full}`
      : `eigh (${correction.update}) x ${full}`
  return [
    ...(full > 0 ? [`gram x ${full}`] : []),
    ...(diagonal > 0 ? [`kronSquares x ${diagonal}`, `matmul x ${diagonal}`] : []),
    ...(full > 0 ? [solve] : []),
    ...(full > 0
      ? [`${isMatrix ? 'kronApply' : 'modeProduct'}${settings.correction === undefined ? '' : ' x 4'}`]
      : []),
    ...(diagonal > 0 ? ['kronSolve'] : []),
  ]
}
