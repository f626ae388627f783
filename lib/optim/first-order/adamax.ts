import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import { type ParameterwiseState, parameterwise } from '../parameterwise.js'
import type { Rule } from '../rule.js'
import { firstMoment } from './diagonal.js'

/** Options of {@link adamax}. */
export interface AdaMaxOptions {
  /** Decay of the gradient's average, 0 <= beta1 < 1. Default 0.9. */
  readonly beta1?: Schedule
  /** Decay of the largest magnitude, 0 <= beta2 < 1. Default 0.999. */
  readonly beta2?: Schedule
  /** Added to the largest magnitude, > 0. Default 1e-8. */
  readonly epsilon?: Schedule
}

/**
 * AdaMax, Adam with the largest magnitude in place of the root of the mean square:
 *
 *     m <- beta1 m + (1 - beta1) g     u <- max(beta2 u, |g|)     D = m / (1 - beta1^t) / (u + epsilon)
 *
 * State: 2 fp32 numbers an element. The paper's learning rate is 0.002.
 *
 * Source: Kingma and Ba, arXiv 1412.6980, algorithm 2 (which has no epsilon).
 */
export function adamax(options: AdaMaxOptions = {}): Rule<ParameterwiseState> {
  checkFields('adamax', options, ['beta1', 'beta2', 'epsilon'])
  const beta1 = hyperparameter('adamax', 'beta1', options.beta1 ?? 0.9, { min: 0, below: 1 })
  const beta2 = hyperparameter('adamax', 'beta2', options.beta2 ?? 0.999, { min: 0, below: 1 })
  const epsilon = hyperparameter('adamax', 'epsilon', options.epsilon ?? 1e-8, { above: 0 })
  return parameterwise<'first' | 'largest' | 'direction', 'firstStart'>({
    name: 'adamax',
    arrays: { first: 'whole', largest: 'whole' },
    scratch: { direction: 'whole' },
    // The product of all beta1.
    numbers: { firstStart: 1 },
    flopsPerElement: 8,
    step: (present, { device, step }) => {
      const entries = present.map(({ gradient, arrays, numbers }) => ({
        gradient,
        m: arrays.first,
        ...firstMoment(beta1(step), numbers),
        v: arrays.largest,
        vDecay: beta2(step),
        vWeight: 1,
        vScale: 1,
        epsilon: epsilon(step),
        direction: arrays.direction,
      }))
      updateAll(device, 'max', entries)
      return present.map(({ arrays }) => arrays.direction)
    },
  })
}
