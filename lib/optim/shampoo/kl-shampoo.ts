import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import type { Rule } from '../rule.js'
import { rootRule } from './root-rule.js'
import type { RootState } from './root-state.js'
import { rootSettings, type ShampooOptions, shampooOptions } from './shampoo.js'

/** Options of {@link klShampoo}: those of Shampoo without exponents, trace scaling and sides, which the method fixes. */
export interface KlShampooOptions
  extends Omit<ShampooOptions, 'exponentOverride' | 'traceScaling' | 'sides' | 'beta2'> {
  /** Decay of the factors, 0 <= beta2 < 1. Default 0.95. */
  readonly beta2?: Schedule
}

/**
 * KL-Shampoo: Shampoo with half powers whose factors are those of the matrix normal distribution nearest to the gradients in
 * Kullback-Leibler divergence,
 *
 *     L <- beta2 L + (1 - beta2) G R^{-1} G^T / n      R <- beta2 R + (1 - beta2) G^T L^{-1} G / m      G is m x n
 *     D = L^{-1/2} M R^{-1/2}
 *
 * with the inverses of the last refresh (the identity at first), and likewise for tensors of any order. Their fixed point for
 * gradients C_L Z C_R^T, Z standard normal, is L (x) R = C_L C_L^T (x) C_R C_R^T; without the 1 / n and 1 / m there is none.
 * Everything else is {@link shampoo}'s.
 *
 * Source: Lin et al., arXiv 2509.03378, equations 4 and 5.
 */
export function klShampoo(options: KlShampooOptions = {}): Rule<RootState> {
  checkFields('klShampoo', options, OPTIONS)
  return rootRule(rootSettings('klShampoo', { beta2: 0.95, ...options, exponentOverride: HALF_POWERS }, true))
}

const FIXED: readonly string[] = ['exponentOverride', 'traceScaling', 'sides']
const OPTIONS = shampooOptions.filter((option) => !FIXED.includes(option))

/** Orders up to the most that `modeProduct` takes. */
const HALF_POWERS = { 1: 0.5, 2: 0.5, 3: 0.5, 4: 0.5, 5: 0.5, 6: 0.5, 7: 0.5, 8: 0.5 }
