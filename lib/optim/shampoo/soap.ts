import { checkFields } from '../../errors.js'
import type { BasisUpdate } from '../../precondition/bases.js'
import type { Merge } from '../../precondition/merge.js'
import { type RefreshOptions, refreshTiming } from '../../precondition/refresh.js'
import { type SidesOptions, sidesOf } from '../../precondition/sides.js'
import { checkStorage, type StatisticStorage } from '../../precondition/statistic-store.js'
import type { Schedule } from '../../schedule/schedule.js'
import { boolean, hyperparameter, numberIn, oneOf } from '../../schedule/validate.js'
import type { Rule } from '../rule.js'
import { type AdamInBasesSettings, type AdamInBasesState, adamInBases } from './adam-in-bases.js'
import { checkMerge } from './shampoo.js'

/** Options of {@link soap}. */
export interface SoapOptions {
  /** Decay of the gradient's average, 0 <= beta1 < 1. Default 0.95. */
  readonly beta1?: Schedule
  /** Decay of the squares' average in the eigenbases, 0 <= beta2 < 1. Default 0.95. */
  readonly beta2?: Schedule
  /** Decay of the factors, 0 <= factorBeta < 1. Default beta2. */
  readonly factorBeta?: Schedule
  /** Added to the root of the second moment, > 0. Default 1e-8. */
  readonly epsilon?: Schedule
  /** Whether vectors get a factor too; if not, they get Adam. Default false. */
  readonly vectors?: boolean
  /** How factors are kept: `f32` (default), `f64` sums, or `bf16` triangles. See {@link StatisticStorage}. */
  readonly storage?: StatisticStorage
  /** Largest dimension of a block. Default 10000: dimensions are not cut below that. */
  readonly blockSize?: number
  /** Merge small dimensions before blocking, as in Shampoo. Default `none`. */
  readonly merge?: Partial<Merge> | 'none'
  /** Which dimensions get a basis, the others the identity: largest, skew, which. Default: those up to 10000. */
  readonly sides?: Omit<SidesOptions, 'otherwise'>
  /** How bases are brought up to date: a step of orthogonal iteration (`iterate`, default) or `decompose`. */
  readonly update?: BasisUpdate
  /**
   * When bases are brought up to date. Default { every: 10 }; a block's first basis comes from its first gradient. `start` has
   * no meaning here.
   */
  readonly refresh?: Omit<RefreshOptions, 'start'>
  /** Consecutive failed solves of one factor that are answered by its stale basis. Default 3; the next one throws. */
  readonly toleratedFailures?: number
}

/** Names of all options of {@link soap}. */
export const soapOptions: readonly (keyof SoapOptions)[] = [
  'beta1',
  'beta2',
  'factorBeta',
  'epsilon',
  'vectors',
  'storage',
  'blockSize',
  'merge',
  'sides',
  'update',
  'refresh',
  'toleratedFailures',
]

/**
 * SOAP: Adam in the eigenbases of Shampoo's factors. For a matrix G, with Q_L and Q_R the bases of the step before,
 *
 *     Z = Q_L^T G Q_R       m <- beta1 m + (1 - beta1) Z       v <- beta2 v + (1 - beta2) Z o Z
 *     D = Q_L (m' / (sqrt(v') + epsilon)) Q_R^T                m', v' corrected for their start at zero
 *     L <- factorBeta L + (1 - factorBeta) G G^T               R likewise, of G^T G
 *     every so often  P = qr(L Q_L), columns by falling eigenvalue,  m <- (Q_L^T P)^T m,  v <- ((Q_L^T P) o (Q_L^T P))^T v
 *
 * and likewise for tensors of any order, with one basis a dimension. A block's first gradient makes its first bases and does
 * not move it. Both moments are carried from basis to basis: a column that only changes its place or its sign takes its second
 * moment along exactly, one that turns mixes those of its origins. The reference implementation permutes v and does not mix;
 * while columns turn little in a refresh, the two agree. Vectors get Adam. State: 2 numbers an element, and for every block
 * and dimension d a statistic of d (d + 1) / 2 and a basis of d^2.
 *
 * Source: Vyas et al., SOAP, arXiv 2409.11321, algorithm 3.
 */
export function soap(options: SoapOptions = {}): Rule<AdamInBasesState> {
  return adamInBases(soapSettings('soap', options))
}

/** Checked options of SOAP, under another name for rules that are made of them. */
export function soapSettings(name: string, options: SoapOptions, isWhitened = false): AdamInBasesSettings {
  checkFields(name, options, soapOptions)
  const beta2 = options.beta2 ?? 0.95
  const refresh = options.refresh ?? {}
  checkFields(`${name}: refresh`, refresh, ['every', 'statistics', 'burnIn', 'staggered', 'tolerance', 'staleness'])
  const sides = options.sides ?? {}
  checkFields(`${name}: sides`, sides, ['largest', 'skew', 'which'])
  const blockSize = numberIn(name, 'blockSize', options.blockSize ?? 10000, { min: 1, integer: true })
  return {
    name,
    isWhitened,
    beta1: hyperparameter(name, 'beta1', options.beta1 ?? 0.95, { min: 0, below: 1 }),
    beta2: hyperparameter(name, 'beta2', beta2, { min: 0, below: 1 }),
    factorBeta: hyperparameter(name, 'factorBeta', options.factorBeta ?? beta2, { min: 0, below: 1 }),
    epsilon: hyperparameter(name, 'epsilon', options.epsilon ?? 1e-8, { above: 0 }),
    isVectorLeftAlone: !boolean(name, 'vectors', options.vectors ?? false),
    storage: checkStorage(name, options.storage ?? 'f32'),
    blockSize,
    merge: checkMerge(name, options.merge ?? 'none', blockSize),
    sides: sidesOf(name, { largest: 10000, ...sides, otherwise: 'none' }),
    update: oneOf(name, 'update', options.update ?? 'iterate', ['iterate', 'decompose']),
    timing: refreshTiming(name, { every: 10, ...refresh, start: 1 }),
    toleratedFailures: numberIn(name, 'toleratedFailures', options.toleratedFailures ?? 3, { min: 0, integer: true }),
  }
}
