import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { numberIn, optionError } from '../../schedule/validate.js'

/** How damping follows the reduction ratio. */
export interface DampingOptions {
  /** Factor omega > 1 by which lambda grows and falls. Default 1.5. */
  readonly factor?: number
  /** Least lambda, > 0. Default 1e-8. */
  readonly min?: number
  /** Greatest lambda, >= min. Default 1e8. */
  readonly max?: number
}

/** The next lambda. */
export type AdaptiveDamping = (lambda: number, ratio: number) => number

/**
 * Levenberg and Marquardt's rule: with rho the reduction of the loss over that which the model predicts,
 *
 *     lambda <- omega lambda  if rho < 1/4 (or not a number),   lambda / omega  if rho > 3/4,   within [min, max]
 *
 * Source: Martens, ICML 2010, section 4.1; Nocedal and Wright, Numerical Optimization, 2nd ed., algorithm 4.1.
 */
export function dampingRule(owner: string, options: DampingOptions, first: Schedule): AdaptiveDamping {
  checkFields(`${owner}: adapt`, options, ['factor', 'min', 'max'])
  const factor = numberIn(owner, 'adapt.factor', options.factor ?? 1.5, { above: 1 })
  const min = numberIn(owner, 'adapt.min', options.min ?? 1e-8, { above: 0 })
  const max = numberIn(owner, 'adapt.max', options.max ?? 1e8, { min })
  if (typeof first !== 'number') throw optionError(owner, 'damping', first, 'a number, because it adapts')
  return (lambda, ratio) => {
    if (ratio > 0.75) return Math.max(min, lambda / factor)
    return ratio >= 0.25 ? lambda : Math.min(max, lambda * factor)
  }
}
