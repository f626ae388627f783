import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import { type ParameterwiseState, parameterwise } from '../parameterwise.js'
import type { Rule } from '../rule.js'

/** Options of {@link signsgd}. */
export interface SignSgdOptions {
  /** Decay of the gradient's average, 0 <= momentum < 1 (Signum). Default 0; the constant 0 stores no average. */
  readonly momentum?: Schedule
}

/**
 * signSGD, with momentum Signum: steepest descent in the largest-element norm but for the step's length,
 *
 *     D = sign(m),  m <- momentum m + (1 - momentum) g,     sign(0) = 0
 *
 * State: none, with momentum 1 fp32 number an element.
 *
 * Source: Bernstein et al., arXiv 1802.04434, algorithms 1 and 2.
 */
export function signsgd(options: SignSgdOptions = {}): Rule<ParameterwiseState> {
  checkFields('signsgd', options, ['momentum'])
  const momentum = hyperparameter('signsgd', 'momentum', options.momentum ?? 0, { min: 0, below: 1 })
  const hasAverage = (options.momentum ?? 0) !== 0
  return parameterwise<'average' | 'direction'>({
    name: 'signsgd',
    arrays: hasAverage ? { average: 'whole' } : {},
    scratch: { direction: 'whole' },
    flopsPerElement: hasAverage ? 4 : 1,
    step: (present, { device, step }) => {
      // The sign of the new average, from the old one and the gradient.
      const mu = momentum(step)
      const weights = { fromGradient: 1 - mu, fromM: mu, mDecay: mu, mWeight: 1 - mu }
      updateAll(
        device,
        'sign',
        present.map(({ gradient, arrays: { average, direction } }) => ({
          gradient,
          m: average,
          direction,
          ...weights,
        })),
      )
      return present.map(({ arrays }) => arrays.direction)
    },
  })
}
