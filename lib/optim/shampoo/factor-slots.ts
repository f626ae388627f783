import { activeFactors, type BucketFactors } from '../../precondition/factors.js'
import type { Plan } from '../../precondition/plan.js'
import type { Refresher } from '../../precondition/refresher.js'
import { type StatisticStore, triangle } from '../../precondition/statistic-store.js'
import type { SolveReport } from '../rule.js'
import { arraySlot, blockSlot, numberSlot, type Slot, symmetricSlot } from '../slots.js'

/** What rules with Kronecker factors have in common. */
export interface FactorState {
  readonly plan: Plan
  readonly groups: readonly BucketFactors[]
  readonly refresher: Refresher
}

/** What of it changes. */
export interface FactorSlotOptions {
  readonly isSum: boolean
  readonly isStaggered: boolean
}

/** `w/block3`, by block of a bucket. */
export function blockPrefixes(group: BucketFactors, plan: Plan): readonly string[] {
  return group.bucket.blocks.map((block) => `${plan.parameters[block.parameter]!.name}/block${block.index}`)
}

/**
 * State of the factors, by parameter, block and dimension; symmetric matrices as triangles. Solves that are under way off the
 * JavaScript thread end first.
 *
 * @param solved what the answers are called: `root` or `basis`.
 */
export function factorSlots(
  { plan, groups, refresher }: FactorState,
  solved: string,
  { isSum, isStaggered }: FactorSlotOptions,
): readonly Slot[] {
  refresher.finish()
  const rounds = plan.parameters.slice(0, isStaggered ? 1 : 0).map(({ name }) => {
    return numberSlot(`${name}/refreshRounds`, refresher.rounds, 'progress')
  })
  return [
    ...rounds,
    ...groups.flatMap((group) => {
      const prefixes = blockPrefixes(group, plan)
      return [
        ...prefixes.flatMap((prefix, block) => [
          arraySlot(`${prefix}.seen`, group.seen, block, 1),
          arraySlot(`${prefix}.due`, group.due, block, 1),
          ...(isSum ? [] : [arraySlot(`${prefix}.startWeight`, group.startWeight, block, 1)]),
        ]),
        ...activeFactors(group).flatMap((factor) => {
          const { dimension, kind, statistic, refreshedAt, ledger } = factor
          const keys = (field: string) => prefixes.map((prefix) => `${prefix}.${field}${dimension}`)
          return [
            ...statisticSlots(statistic, kind === 'full', keys('statistic')),
            blockSlot(factor.solved, keys(solved)),
            ...keys('refreshedAt').map((key, block) => arraySlot(key, refreshedAt, block, 1)),
            ...keys('failures').map((key, block) => arraySlot(key, ledger.consecutive, block, 1)),
          ]
        }),
      ]
    }),
  ]
}

/** Triangles of full factors, in the type in which they are kept, and diagonals. */
function statisticSlots({ tensor, packed, size }: StatisticStore, isFull: boolean, keys: readonly string[]) {
  if (tensor !== undefined) return [isFull ? symmetricSlot(tensor, keys) : blockSlot(tensor, keys)]
  const length = triangle(size)
  return keys.map((key, block) => arraySlot(key, packed!, block * length, length))
}

/** Health of the solves, one entry a bucket and dimension. */
export function reportFactors({ groups, refresher }: FactorState): readonly SolveReport[] {
  return groups.flatMap((group) =>
    activeFactors(group)
      .filter(({ kind }) => kind === 'full')
      .map(({ dimension, ledger, refreshedAt }) => ({
        factor: `${group.bucket.shape.join('x')} dimension ${dimension}`,
        ...ledger.summary(),
        oldest: refreshedAt.reduce((least, step) => Math.min(least, step), Number.POSITIVE_INFINITY),
        pending: refresher.pendingOf(group, dimension),
      })),
  )
}
