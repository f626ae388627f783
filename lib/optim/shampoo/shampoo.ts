import { checkFields } from '../../errors.js'
import { applyRoots } from '../../precondition/apply.js'
import { disposeArrays, zeros } from '../../precondition/arrays.js'
import { stackBlocks, unstackBlocks } from '../../precondition/blocks.js'
import { checkExponents, type ExponentOverride, exponentsOf } from '../../precondition/exponents.js'
import { activeFactors, createFactors, disposeFactors } from '../../precondition/factors.js'
import { type GraftScope, graftNorms } from '../../precondition/graft-norms.js'
import type { Merge } from '../../precondition/merge.js'
import { elements, planBlocks } from '../../precondition/plan.js'
import { raiseWhereExhausted } from '../../precondition/recovery.js'
import { type RefreshOptions, refreshTiming } from '../../precondition/refresh.js'
import { type RidgeOption, ridgeAt } from '../../precondition/ridge.js'
import { checkRootOptions, type RootOptions, refreshRoots } from '../../precondition/roots.js'
import { accumulateStatistics } from '../../precondition/statistics.js'
import type { Schedule } from '../../schedule/schedule.js'
import { boolean, hyperparameter, numberIn, oneOf, optionError } from '../../schedule/validate.js'
import { finiteOnly } from '../elementwise.js'
import { gradientFilter } from '../filter.js'
import { type Graft, type GraftOption, graftMethod } from '../graft.js'
import { heavyBall } from '../heavy-ball.js'
import type { Gradients, Rule, RuleContext } from '../rule.js'
import {
  describeShampoo,
  reportShampoo,
  type ShampooSettings,
  type ShampooState,
  shampooSlots,
} from './shampoo-state.js'

/** Options of {@link shampoo}. */
export interface ShampooOptions {
  /** Decay of the gradient's average, taken before preconditioning, 0 <= beta1 < 1. Default 0.9; 0 stores none. */
  readonly beta1?: Schedule
  /** Weight of the old average in the gradient that is preconditioned: beta3 m_{t-1} + (1 - beta3) g. Default beta1. */
  readonly beta3?: Schedule
  /** Decay of the factors, 0 <= beta2 < 1, or the constant 1 for their sum. Default 1. A schedule must stay below 1. */
  readonly beta2?: Schedule
  /** Divide averages by what they lack because they started at zero. Default true. */
  readonly biasCorrection?: boolean
  /** Largest dimension of a block. Default 1024. */
  readonly blockSize?: number
  /**
   * Merge small dimensions before blocking: while their product is <= threshold (default: blockSize) and more than
   * target dimensions (default 1) are left. Mind that a 16 x 32 weight becomes a vector of 512 with one 512 x 512
   * factor: target 2 keeps matrices matrices. `none` keeps every shape as it is.
   */
  readonly merge?: Partial<Merge> | 'none'
  /** Exponents by tensor order, instead of 1 / (2 order); `{ 2: 0.5 }` or `{ 2: [0.5, 0] }`, 0 = leave that side alone. */
  readonly exponentOverride?: ExponentOverride
  /** Added to each factor before its root. Default { relative: 1e-6 }, 1e-6 times the factor's largest eigenvalue. */
  readonly ridge?: RidgeOption
  /** Options of the root solver: method, residualBound, fullResidual, maxIterations. Default: the planner's. */
  readonly root?: RootOptions
  /** When roots are computed anew: every (default 1, a schedule) and start (default: every). */
  readonly refresh?: RefreshOptions
  /** Whose norms the directions get: a name, or any rule such as `adamw()`. Default `none`. See {@link GraftOption}. */
  readonly graft?: GraftOption
  /** Norms are transplanted per block (default) or per layer, that is per parameter. */
  readonly graftScope?: GraftScope
  /** Heavy-ball momentum after preconditioning and grafting, 0 <= momentum < 1. Default 0. */
  readonly momentum?: Schedule
  /** Nesterov's look-ahead for that momentum. Default false. */
  readonly nesterov?: boolean
  /** Consecutive failed solves of one factor that are answered by its stale root. Default 3; the next one throws. */
  readonly toleratedFailures?: number
}

/**
 * Shampoo: every dimension i of a block of order k has a factor, and its inverse root is applied along that dimension,
 *
 *     C_i <- beta2 C_i + (1 - beta2) G_(i) G_(i)^T      or, beta2 = 1,  C_i <- C_i + G_(i) G_(i)^T
 *     D = M x_1 (C_1 + ridge)^{-1/(2k)} ... x_k (C_k + ridge)^{-1/(2k)}       matrices: L^{-1/4} M R^{-1/4}
 *
 * with M the average of the gradient G. Order of operations of a step: statistics; roots, if due; average of the
 * gradient; preconditioning (before the start step: the graft's direction, or M); graft; momentum. Averages are corrected
 * for their start at zero. The defaults are Distributed Shampoo's, but for the ridge, which is relative.
 *
 * Equal blocks of all parameters are stacked: a step takes one native call a dimension and bucket for the statistics,
 * one a bucket to precondition, a refresh one a dimension and bucket, however many parameters there are.
 *
 * A factor whose solve fails keeps its stale root (the identity at first); after `toleratedFailures` failures in a row
 * the next one throws ERR_NOT_CONVERGED and names the factor. A gradient that is not finite is taken for no gradient.
 *
 * Source: Gupta, Koren and Singer, arXiv 1802.09568, algorithms 1 and 2; blocking, grafting, schedules: Anil et al.,
 * arXiv 2002.09018; Shi et al. (Distributed Shampoo), arXiv 2309.06497.
 */
export function shampoo(options: ShampooOptions = {}): Rule<ShampooState> {
  const settings = checkOptions(options)
  return {
    name: 'shampoo',
    init: (parameters, device) => {
      const plan = planBlocks(parameters, settings)
      return {
        device,
        plan,
        groups: plan.buckets.map((bucket) =>
          createFactors(
            device,
            bucket,
            exponentsOf(bucket.shape.length, settings.exponents),
            parameters,
            settings.toleratedFailures,
          ),
        ),
        directions: parameters.map(({ shape }) => zeros(device, elements(shape))),
        filter: settings.filter.init(parameters, device),
        graft: settings.graft?.rule?.init(parameters, device),
        heavyBall: settings.heavyBall?.init(parameters, device),
      }
    },
    update: (gradients, state, context) => update(settings, state, gradients, context),
    describe: (state) => describeShampoo(state, settings),
    slots: (state) => shampooSlots(state, settings),
    report: (state) => [
      ...reportShampoo(state),
      ...(settings.graft?.rule?.report(state.graft) ?? []).map((entry) => ({
        ...entry,
        factor: `graft ${entry.factor}`,
      })),
    ],
    dispose: (state) => {
      for (const group of state.groups) disposeFactors(group)
      disposeArrays(state.directions)
      settings.filter.dispose(state.filter)
      if (state.heavyBall !== undefined) settings.heavyBall?.dispose(state.heavyBall)
      settings.graft?.rule?.dispose(state.graft)
    },
  }
}

const KEYS: readonly (keyof ShampooOptions)[] = [
  'beta1',
  'beta3',
  'beta2',
  'biasCorrection',
  'blockSize',
  'merge',
  'exponentOverride',
  'ridge',
  'root',
  'refresh',
  'graft',
  'graftScope',
  'momentum',
  'nesterov',
  'toleratedFailures',
]

function checkOptions(options: ShampooOptions): ShampooSettings {
  const owner = 'shampoo'
  checkFields(owner, options, KEYS)
  const beta1 = options.beta1 ?? 0.9
  const beta2 = options.beta2 ?? 1
  const isSum = beta2 === 1
  const blockSize = numberIn(owner, 'blockSize', options.blockSize ?? 1024, { min: 1, integer: true })
  const biasCorrection = boolean(owner, 'biasCorrection', options.biasCorrection ?? true)
  checkExponents(owner, options.exponentOverride ?? {})
  return {
    beta2: isSum ? () => 1 : hyperparameter(owner, 'beta2', beta2, { min: 0, below: 1 }),
    isSum,
    isCorrected: biasCorrection && !isSum,
    blockSize,
    merge: checkMerge(owner, options.merge ?? {}, blockSize),
    exponents: options.exponentOverride ?? {},
    ridge: ridgeAt(owner, options.ridge ?? { relative: 1e-6 }),
    root: checkRootOptions(owner, options.root ?? {}),
    timing: refreshTiming(owner, options.refresh),
    filter: gradientFilter(owner, beta1, options.beta3 ?? beta1, biasCorrection),
    graft: graftMethod(owner, options.graft ?? 'none', beta1),
    graftScope: oneOf(owner, 'graftScope', options.graftScope ?? 'block', ['block', 'layer']),
    heavyBall: heavyBall(owner, options.momentum ?? 0, options.nesterov ?? false),
    toleratedFailures: numberIn(owner, 'toleratedFailures', options.toleratedFailures ?? 3, { min: 0, integer: true }),
  }
}

function checkMerge(owner: string, merge: Partial<Merge> | 'none', blockSize: number): Merge | undefined {
  if (merge === 'none') return undefined
  if (typeof merge !== 'object') throw optionError(owner, 'merge', merge, `'none' or { threshold, target }`)
  checkFields(`${owner}: merge`, merge, ['threshold', 'target'])
  return {
    threshold: numberIn(owner, 'merge.threshold', merge.threshold ?? blockSize, { min: 1, integer: true }),
    target: numberIn(owner, 'merge.target', merge.target ?? 1, { min: 1, integer: true }),
  }
}

function update(settings: ShampooSettings, state: ShampooState, gradients: Gradients, context: RuleContext): Gradients {
  const { step, clock } = context
  const usable = clock.time('apply', () => finiteOnly(state.device, gradients))
  clock.time('statistics', () => {
    for (const group of state.groups) accumulateStatistics(group, usable, settings.beta2(step))
  })
  if (settings.timing.isDue(step)) clock.time('refresh', () => refresh(settings, state, step))
  const filtered = clock.time('apply', () => settings.filter.update(usable, state.filter, step))
  const grafts =
    settings.graft === undefined ? undefined : graftDirections(settings.graft, state, usable, filtered, context)
  return clock.time('apply', () => {
    const isStarted = step >= settings.timing.start
    const directions = isStarted ? preconditionAll(state, filtered) : (grafts ?? filtered)
    if (isStarted && grafts !== undefined) graftNorms(state.device, state.plan, directions, grafts, settings.graftScope)
    if (settings.heavyBall === undefined || state.heavyBall === undefined) return directions
    return settings.heavyBall.update(directions, state.heavyBall, step)
  })
}

function refresh(settings: ShampooSettings, state: ShampooState, step: number): void {
  const ridge = settings.ridge(step)
  for (const group of state.groups) refreshRoots(group, ridge, settings.isCorrected, settings.root)
  raiseWhereExhausted(
    'shampoo',
    state.groups.flatMap((group) => activeFactors(group).map((factor) => factor.ledger)),
  )
}

function graftDirections(
  graft: Graft,
  state: ShampooState,
  usable: Gradients,
  filtered: Gradients,
  context: RuleContext,
): Gradients {
  return graft.rule === undefined ? filtered : graft.rule.update(usable, state.graft, context)
}

/** Preconditions every parameter that has a gradient, bucket by bucket. */
function preconditionAll(state: ShampooState, filtered: Gradients): Gradients {
  const directions = filtered.map((source, index) => (source === null ? null : state.directions[index]!))
  for (const group of state.groups) {
    if (group.bucket.blocks.every((block) => filtered[block.parameter] === null)) continue
    stackBlocks(group, filtered)
    unstackBlocks(group, applyRoots(group), directions)
  }
  return directions
}
