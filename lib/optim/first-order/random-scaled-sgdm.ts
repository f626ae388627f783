import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import { type ParameterwiseState, parameterwise } from '../parameterwise.js'
import { exponential } from '../random.js'
import type { Rule } from '../rule.js'

/** Options of {@link randomScaledSgdm}. */
export interface RandomScaledSgdmOptions {
  /** Decay mu of the gradient's average, 0 <= mu < 1. Default 0.99. */
  readonly momentum?: Schedule
  /** Of the random factors, an integer from 0 to 2^32 - 1. Default 0. */
  readonly seed?: number
}

/**
 * SGD with momentum whose every step is scaled by a random number from the exponential distribution of mean 1:
 *
 *     m <- mu m + (1 - mu) g     D = s_t m     s_t ~ Exp(1)
 *
 * s_t is a function of the seed and of the number of steps that the parameter has made, so parameters that have made as many
 * share it, as in the paper, and a resumed run goes on with the same numbers. State: 1 fp32 number an element.
 *
 * Source: Zhang and Cutkosky, arXiv 2405.09742.
 */
export function randomScaledSgdm(options: RandomScaledSgdmOptions = {}): Rule<ParameterwiseState> {
  checkFields('randomScaledSgdm', options, ['momentum', 'seed'])
  const owner = 'randomScaledSgdm'
  const momentum = hyperparameter(owner, 'momentum', options.momentum ?? 0.99, { min: 0, below: 1 })
  const seed = numberIn(owner, 'seed', options.seed ?? 0, { min: 0, max: 2 ** 32 - 1, integer: true })
  return parameterwise<'average' | 'direction', 'count'>({
    name: owner,
    arrays: { average: 'whole' },
    scratch: { direction: 'whole' },
    numbers: { count: 0 },
    flopsPerElement: 4,
    step: (present, { device, step }) => {
      const mu = momentum(step)
      const entries = present.map(({ gradient, arrays: { average, direction }, numbers }) => {
        numbers.count++
        const factor = exponential(seed, numbers.count)
        return { gradient, m: average, mDecay: mu, mWeight: 1 - mu, fromM: factor, direction }
      })
      updateAll(device, 'momentum', entries)
      return present.map(({ arrays }) => arrays.direction)
    },
  })
}
