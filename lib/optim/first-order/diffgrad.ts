import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import { type ParameterwiseState, parameterwise } from '../parameterwise.js'
import type { Rule } from '../rule.js'
import { adamDirections } from './diagonal.js'

/** Options of {@link diffgrad}. */
export interface DiffGradOptions {
  /** Decay of the gradient's average, 0 <= beta1 < 1. Default 0.9. */
  readonly beta1?: Schedule
  /** Decay of the squared gradient's average, 0 <= beta2 < 1. Default 0.999. */
  readonly beta2?: Schedule
  /** Added to the root of the second moment, > 0. Default 1e-8. */
  readonly epsilon?: Schedule
}

/**
 * diffGrad: Adam whose elements go between half and all of their step, by how much their gradient changed:
 *
 *     D = xi m' / (sqrt(v') + epsilon)     xi = 1 / (1 + exp(-|g_{t-1} - g_t|))     g_0 = 0
 *
 * with m' and v' as in `adam`. State: 3 fp32 numbers an element.
 *
 * Source: Dubey et al., arXiv 1909.11015.
 */
export function diffgrad(options: DiffGradOptions = {}): Rule<ParameterwiseState> {
  checkFields('diffgrad', options, ['beta1', 'beta2', 'epsilon'])
  const beta1 = hyperparameter('diffgrad', 'beta1', options.beta1 ?? 0.9, { min: 0, below: 1 })
  const beta2 = hyperparameter('diffgrad', 'beta2', options.beta2 ?? 0.999, { min: 0, below: 1 })
  const epsilon = hyperparameter('diffgrad', 'epsilon', options.epsilon ?? 1e-8, { above: 0 })
  return parameterwise<'first' | 'second' | 'previous' | 'direction', 'firstStart' | 'secondStart'>({
    name: 'diffgrad',
    arrays: { first: 'whole', second: 'whole', previous: 'whole' },
    scratch: { direction: 'whole' },
    // The products of all beta1 and of all beta2.
    numbers: { firstStart: 1, secondStart: 1 },
    flopsPerElement: 20,
    step: (present, { device, step }) => {
      adamDirections(present, device, { beta1: beta1(step), beta2: beta2(step), epsilon: epsilon(step) })
      const gates = present.map(({ gradient, arrays: { previous, direction } }) => ({
        gradient,
        m: previous,
        mWeight: 1,
        v: direction,
        direction,
      }))
      updateAll(device, 'gate', gates)
      return present.map(({ arrays }) => arrays.direction)
    },
  })
}
