import { checkFields } from '../../errors.js'
import type { RefreshOptions } from '../../precondition/refresh.js'
import type { RidgeOption } from '../../precondition/ridge.js'
import type { RootOptions } from '../../precondition/roots.js'
import type { Schedule } from '../../schedule/schedule.js'
import { oneOf } from '../../schedule/validate.js'
import type { GraftOption } from '../graft.js'
import type { Rule } from '../rule.js'
import { rootRule } from './root-rule.js'
import type { RootState } from './root-state.js'
import { rootSettings } from './shampoo.js'

/** Options of {@link asgo}. */
export interface AsgoOptions {
  /** Decay of the gradient's average, 0 <= beta1 < 1. Default 0.95. */
  readonly beta1?: Schedule
  /** Decay of the factor, 0 <= beta2 < 1, or the constant 1 for the sum of the analysed method. Default 0.95. */
  readonly beta2?: Schedule
  /** `smallest` keeps the full factor of the smaller side; `diagonal` its diagonal (DASGO). Default `smallest`. */
  readonly factor?: 'smallest' | 'diagonal'
  /** Largest dimension of a block. Default 8192. */
  readonly blockSize?: number
  /** Added to the factor before its root. Default { relative: 1e-6 }. */
  readonly ridge?: RidgeOption
  /** Options of the root solver. */
  readonly root?: RootOptions
  /** When roots are computed anew. Default: every step. */
  readonly refresh?: RefreshOptions
  /** Whose norms the directions get. Default `none`. */
  readonly graft?: GraftOption
  /** Consecutive failed solves that are answered by the stale root. Default 3. */
  readonly toleratedFailures?: number
}

/**
 * ASGO: one-sided Shampoo, on the smaller side of a matrix m x n,
 *
 *     V <- beta2 V + (1 - beta2) G^T G,   D = M (V + ridge)^{-1/2}      n <= m
 *     V <- beta2 V + (1 - beta2) G G^T,   D = (V + ridge)^{-1/2} M      m < n
 *
 * with M the average of the gradient; vectors and tensors: the smallest dimension of what is left when small dimensions are
 * merged into matrices. Half the memory and solves of Shampoo, on the cheaper side. With `diagonal` V is its diagonal (DASGO).
 *
 * Source: An et al., ASGO: Adaptive Structured Gradient Optimization, arXiv 2503.20762, algorithms 1 and 2.
 */
export function asgo(options: AsgoOptions = {}): Rule<RootState> {
  checkFields('asgo', options, [
    'beta1',
    'beta2',
    'factor',
    'blockSize',
    'ridge',
    'root',
    'refresh',
    'graft',
    'toleratedFailures',
  ])
  const { factor = 'smallest', blockSize = 8192, ...rest } = options
  oneOf('asgo', 'factor', factor, ['smallest', 'diagonal'])
  return rootRule(
    rootSettings('asgo', {
      beta1: 0.95,
      beta2: 0.95,
      ...rest,
      blockSize,
      merge: { target: 2 },
      sides: { which: 'smallest', ...(factor === 'diagonal' ? { largest: 1 } : {}) },
    }),
  )
}
