import { checkFields } from '../../errors.js'
import { checkExponents, type ExponentOverride } from '../../precondition/exponents.js'
import type { GraftScope } from '../../precondition/graft-norms.js'
import type { Merge } from '../../precondition/merge.js'
import { type RefreshOptions, refreshTiming } from '../../precondition/refresh.js'
import { type RidgeOption, ridgeAt } from '../../precondition/ridge.js'
import { checkKeepable, checkRootOptions, type RootOptions } from '../../precondition/roots.js'
import { type SidesOptions, sharers, sidesOf } from '../../precondition/sides.js'
import { checkStorage, type StatisticStorage } from '../../precondition/statistic-store.js'
import type { Schedule } from '../../schedule/schedule.js'
import { boolean, hyperparameter, numberIn, oneOf, optionError } from '../../schedule/validate.js'
import { gradientFilter } from '../filter.js'
import { type GraftOption, graftMethod } from '../graft.js'
import { heavyBall } from '../heavy-ball.js'
import type { Rule } from '../rule.js'
import { rootRule } from './root-rule.js'
import type { RootSettings, RootState } from './root-state.js'

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
  /**
   * Each factor is multiplied by its trace to the power of minus this, >= 0, before its root. Default 0. With 1/2 and half
   * powers the two factors together have the scale of one (Eschenhagen et al., arXiv 2506.03595).
   */
  readonly traceScaling?: number
  /** How full factors are kept: `f32` (default), `f64` sums and roots, or `bf16` triangles. See {@link StatisticStorage}. */
  readonly storage?: StatisticStorage
  /** Largest dimension of a block. Default 1024. */
  readonly blockSize?: number
  /**
   * Merge small dimensions before blocking: while their product is <= threshold (default: blockSize) and more than
   * target dimensions (default 1) are left. Mind that a 16 x 32 weight becomes a vector of 512 with one 512 x 512
   * factor: target 2 keeps matrices matrices. `none` keeps every shape as it is.
   */
  readonly merge?: Partial<Merge> | 'none'
  /** Which dimensions get a full factor, and what the others get: largest, skew, otherwise, which. Default: all. */
  readonly sides?: SidesOptions
  /** Exponents by tensor order, instead of 1 / (2 order); `{ 2: 0.5 }` or `{ 2: [0.5, 0] }`, 0 = leave that side alone. */
  readonly exponentOverride?: ExponentOverride
  /** Added to each factor before its root. Default { relative: 1e-6 }, 1e-6 times the factor's largest eigenvalue. */
  readonly ridge?: RidgeOption
  /** Options of the root solver: method, residualBound, fullResidual, maxIterations. Default: the planner's. */
  readonly root?: RootOptions
  /**
   * When roots are computed anew: every (default 1), start (default: every), statistics, burnIn, staggered, tolerance,
   * staleness. See {@link RefreshOptions}.
   */
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
 * gradient; preconditioning (blocks without a root so far: the graft's direction, or M); graft; momentum. Averages are
 * corrected for their start at zero. Large dimensions may keep the diagonal of their factor alone, or nothing (`sides`). The
 * defaults are Distributed Shampoo's, but for the ridge, which is relative.
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
export function shampoo(options: ShampooOptions = {}): Rule<RootState> {
  return rootRule(rootSettings('shampoo', options))
}

/** Names of all options of {@link shampoo}. */
export const shampooOptions: readonly (keyof ShampooOptions)[] = [
  'beta1',
  'beta3',
  'beta2',
  'biasCorrection',
  'traceScaling',
  'storage',
  'blockSize',
  'merge',
  'sides',
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

/** Checked options of Shampoo, under another name for rules that are made of them. */
export function rootSettings(name: string, options: ShampooOptions, isWhitened = false): RootSettings {
  checkFields(name, options, shampooOptions)
  const beta1 = options.beta1 ?? 0.9
  const beta2 = options.beta2 ?? 1
  const isSum = beta2 === 1
  const blockSize = numberIn(name, 'blockSize', options.blockSize ?? 1024, { min: 1, integer: true })
  const biasCorrection = boolean(name, 'biasCorrection', options.biasCorrection ?? true)
  const ridge = options.ridge ?? { relative: 1e-6 }
  checkExponents(name, options.exponentOverride ?? {})
  checkKeepable(name, options.refresh?.tolerance, options.exponentOverride ?? {}, ridge)
  return {
    name,
    isWhitened,
    correction: undefined,
    beta2: isSum ? () => 1 : hyperparameter(name, 'beta2', beta2, { min: 0, below: 1 }),
    isSum,
    scaling: {
      isCorrected: biasCorrection && !isSum,
      traceExponent: numberIn(name, 'traceScaling', options.traceScaling ?? 0, { min: 0 }),
    },
    storage: checkStorage(name, options.storage ?? 'f32'),
    blockSize,
    merge: checkMerge(name, options.merge ?? {}, blockSize),
    sides: sidesOf(name, options.sides),
    sharers: (shape) => sharers(shape, options.sides),
    exponents: options.exponentOverride ?? {},
    ridge: ridgeAt(name, ridge),
    root: checkRootOptions(name, options.root ?? {}),
    timing: refreshTiming(name, options.refresh),
    filter: gradientFilter(name, beta1, options.beta3 ?? beta1, biasCorrection),
    graft: graftMethod(name, options.graft ?? 'none', beta1),
    graftScope: oneOf(name, 'graftScope', options.graftScope ?? 'block', ['block', 'layer']),
    heavyBall: heavyBall(name, options.momentum ?? 0, options.nesterov ?? false),
    toleratedFailures: numberIn(name, 'toleratedFailures', options.toleratedFailures ?? 3, { min: 0, integer: true }),
  }
}

/** Checked merging of small dimensions. */
export function checkMerge(owner: string, merge: Partial<Merge> | 'none', blockSize: number): Merge | undefined {
  if (merge === 'none') return undefined
  if (typeof merge !== 'object') throw optionError(owner, 'merge', merge, `'none' or { threshold, target }`)
  checkFields(`${owner}: merge`, merge, ['threshold', 'target'])
  return {
    threshold: numberIn(owner, 'merge.threshold', merge.threshold ?? blockSize, { min: 1, integer: true }),
    target: numberIn(owner, 'merge.target', merge.target ?? 1, { min: 1, integer: true }),
  }
}
