import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import { type ParameterwiseState, parameterwise } from '../parameterwise.js'
import type { Rule } from '../rule.js'
import { firstMoment, secondMoment } from './diagonal.js'

/** Options of {@link ademamix}. */
export interface AdEMAMixOptions {
  /** Decay of the fast average, 0 <= beta1 < 1. Default 0.9. */
  readonly beta1?: Schedule
  /** Decay of the squared gradient's average, 0 <= beta2 < 1. Default 0.999. */
  readonly beta2?: Schedule
  /** Decay of the slow average, 0 <= beta3 < 1. Default 0.9999. */
  readonly beta3?: Schedule
  /** Weight of the slow average, >= 0. Default 5. */
  readonly alpha?: Schedule
  /** Added to the root of the second moment, > 0. Default 1e-8. */
  readonly epsilon?: Schedule
  /** Steps of the optimizer over which beta3 and alpha rise, >= 0. Default 0: from the first step on they are what they are. */
  readonly warmup?: number
}

/**
 * AdEMAMix, Adam with a second, slow average of the gradient that is not corrected for its start at zero:
 *
 *     m1 <- beta1 m1 + (1 - beta1) g     m2 <- beta3 m2 + (1 - beta3) g     v <- beta2 v + (1 - beta2) g^2
 *     D = (m1 / (1 - beta1^t) + alpha m2) / (sqrt(v / (1 - beta2^t)) + epsilon)
 *
 * During the warm-up, s = step / warmup < 1, alpha is s alpha, and beta3 goes from beta1 to its own value so that the half-life
 * of the average grows linearly: exp(ln beta1 ln beta3 / ((1 - s) ln beta3 + s ln beta1)). The paper's warm-up is as long as
 * its training. State: 3 fp32 numbers an element.
 *
 * Source: Pagliardini, Ablin and Grangier, arXiv 2409.03137, algorithm 1 with its schedules of alpha and beta3.
 */
export function ademamix(options: AdEMAMixOptions = {}): Rule<ParameterwiseState> {
  checkFields('ademamix', options, ['beta1', 'beta2', 'beta3', 'alpha', 'epsilon', 'warmup'])
  const decay = (field: 'beta1' | 'beta2' | 'beta3', otherwise: number) =>
    hyperparameter('ademamix', field, options[field] ?? otherwise, { min: 0, below: 1 })
  const [beta1, beta2, beta3] = [decay('beta1', 0.9), decay('beta2', 0.999), decay('beta3', 0.9999)]
  const alpha = hyperparameter('ademamix', 'alpha', options.alpha ?? 5, { min: 0 })
  const epsilon = hyperparameter('ademamix', 'epsilon', options.epsilon ?? 1e-8, { above: 0 })
  const warmup = numberIn('ademamix', 'warmup', options.warmup ?? 0, { min: 0 })
  return parameterwise<'fast' | 'slow' | 'second' | 'scaled' | 'direction', 'firstStart' | 'secondStart'>({
    name: 'ademamix',
    arrays: { fast: 'whole', slow: 'whole', second: 'whole' },
    scratch: { scaled: 'whole', direction: 'whole' },
    // The products of all beta1 and of all beta2.
    numbers: { firstStart: 1, secondStart: 1 },
    flopsPerElement: 18,
    step: (present, { device, step }) => {
      const risen = step < warmup ? step / warmup : 1
      const slowDecay = risen < 1 ? risingDecay(beta1(step), beta3(step), risen) : beta3(step)
      const denominators = present.map(({ arrays, numbers }) => ({
        v: arrays.second,
        ...secondMoment(beta2(step), numbers),
        epsilon: epsilon(step),
      }))
      updateAll(
        device,
        'adam',
        present.map(({ gradient, arrays, numbers }, index) => ({
          gradient,
          m: arrays.fast,
          ...firstMoment(beta1(step), numbers),
          ...denominators[index],
          direction: arrays.direction,
        })),
      )
      // The second moment has moved; here it is only divided by.
      updateAll(
        device,
        'adam',
        present.map(({ gradient, arrays }, index) => ({
          gradient,
          m: arrays.slow,
          mDecay: slowDecay,
          mWeight: 1 - slowDecay,
          fromM: risen * alpha(step),
          ...denominators[index],
          vDecay: 1,
          vWeight: 0,
          direction: arrays.scaled,
        })),
      )
      updateAll(
        device,
        'combine',
        present.map(({ arrays: { scaled, direction } }) => ({
          gradient: scaled,
          fromGradient: 1,
          m: direction,
          fromM: 1,
          direction,
        })),
      )
      return present.map(({ arrays }) => arrays.direction)
    },
  })
}

/** A decay on its way from `start` to `end`, its half-life linear in s. */
function risingDecay(start: number, end: number, s: number): number {
  if (start === 0 || end <= start) return end
  return Math.exp((Math.log(start) * Math.log(end)) / ((1 - s) * Math.log(end) + s * Math.log(start)))
}
