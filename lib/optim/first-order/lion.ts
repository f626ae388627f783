import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import { type ParameterwiseState, parameterwise } from '../parameterwise.js'
import type { Rule } from '../rule.js'

/** Options of {@link lion}. */
export interface LionOptions {
  /** Weight of the momentum in the direction, 0 <= beta1 < 1. Default 0.9. */
  readonly beta1?: Schedule
  /** Decay of the momentum, 0 <= beta2 < 1. Default 0.99. */
  readonly beta2?: Schedule
}

/**
 * Lion: the sign of a mixture of momentum and gradient,
 *
 *     D = sign(beta1 m + (1 - beta1) g)     then     m <- beta2 m + (1 - beta2) g
 *
 * Every element moves by the learning rate, so that it is 3 to 10 times smaller than AdamW's, and the weight decay as many
 * times larger. State: 1 fp32 number an element.
 *
 * Source: Chen et al., arXiv 2302.06675, algorithm 2.
 */
export function lion(options: LionOptions = {}): Rule<ParameterwiseState> {
  checkFields('lion', options, ['beta1', 'beta2'])
  const beta1 = hyperparameter('lion', 'beta1', options.beta1 ?? 0.9, { min: 0, below: 1 })
  const beta2 = hyperparameter('lion', 'beta2', options.beta2 ?? 0.99, { min: 0, below: 1 })
  return parameterwise<'momentum' | 'direction'>({
    name: 'lion',
    arrays: { momentum: 'whole' },
    scratch: { direction: 'whole' },
    flopsPerElement: 7,
    step: (present, { device, step }) => {
      const weights = {
        fromGradient: 1 - beta1(step),
        fromM: beta1(step),
        mDecay: beta2(step),
        mWeight: 1 - beta2(step),
      }
      updateAll(
        device,
        'sign',
        present.map(({ gradient, arrays: { momentum, direction } }) => ({
          gradient,
          m: momentum,
          direction,
          ...weights,
        })),
      )
      return present.map(({ arrays }) => arrays.direction)
    },
  })
}
