import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import { type ParameterwiseState, parameterwise } from '../parameterwise.js'
import type { Rule } from '../rule.js'
import { secondMoment } from './diagonal.js'

/** Options of {@link nadam}. */
export interface NAdamOptions {
  /** Largest decay of the gradient's average, 0 <= beta1 < 1. Default 0.9. */
  readonly beta1?: Schedule
  /** Decay of the squared gradient's average, 0 <= beta2 < 1. Default 0.999. */
  readonly beta2?: Schedule
  /** Added to the root of the second moment, > 0. Default 1e-8. */
  readonly epsilon?: Schedule
  /** How fast the momentum rises to beta1, >= 0; 0 keeps it at beta1 / 2. Default 0.004. */
  readonly momentumDecay?: number
}

/**
 * NAdam, Adam with Nesterov's momentum, whose weight rises with the steps t of a parameter:
 *
 *     mu_t = beta1 (1 - 0.96^(momentumDecay t) / 2)
 *     m <- beta1 m + (1 - beta1) g     v <- beta2 v + (1 - beta2) g^2     v' = v / (1 - beta2^t)
 *     D = (mu_{t+1} m / (1 - prod_{i <= t+1} mu_i) + (1 - mu_t) g / (1 - prod_{i <= t} mu_i)) / (sqrt(v') + epsilon)
 *
 * State: 2 fp32 numbers an element.
 *
 * Source: Dozat, ICLR 2016 workshop, with its schedule of the momentum; the form and the defaults are PyTorch's.
 */
export function nadam(options: NAdamOptions = {}): Rule<ParameterwiseState> {
  checkFields('nadam', options, ['beta1', 'beta2', 'epsilon', 'momentumDecay'])
  const beta1 = hyperparameter('nadam', 'beta1', options.beta1 ?? 0.9, { min: 0, below: 1 })
  const beta2 = hyperparameter('nadam', 'beta2', options.beta2 ?? 0.999, { min: 0, below: 1 })
  const epsilon = hyperparameter('nadam', 'epsilon', options.epsilon ?? 1e-8, { above: 0 })
  const momentumDecay = numberIn('nadam', 'momentumDecay', options.momentumDecay ?? 0.004, { min: 0 })
  const momentum = (beta: number, count: number) => beta * (1 - 0.5 * 0.96 ** (momentumDecay * count))
  return parameterwise<'first' | 'second' | 'direction', 'count' | 'momenta' | 'secondStart'>({
    name: 'nadam',
    arrays: { first: 'whole', second: 'whole' },
    scratch: { direction: 'whole' },
    // Steps, the product of all mu and that of all beta2.
    numbers: { count: 0, momenta: 1, secondStart: 1 },
    flopsPerElement: 12,
    step: (present, { device, step }) => {
      const beta = beta1(step)
      const entries = present.map(({ gradient, arrays, numbers }) => {
        numbers.count++
        const mu = momentum(beta, numbers.count)
        const next = momentum(beta, numbers.count + 1)
        numbers.momenta *= mu
        return {
          gradient,
          m: arrays.first,
          mDecay: beta,
          mWeight: 1 - beta,
          v: arrays.second,
          ...secondMoment(beta2(step), numbers),
          epsilon: epsilon(step),
          fromGradient: (1 - mu) / (1 - numbers.momenta),
          fromM: next / (1 - numbers.momenta * next),
          direction: arrays.direction,
        }
      })
      updateAll(device, 'adam', entries)
      return present.map(({ arrays }) => arrays.direction)
    },
  })
}
