import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { boolean, hyperparameter, optionError } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import { type ParameterwiseState, parameterwise } from '../parameterwise.js'
import type { Rule } from '../rule.js'

/** Options of {@link sgd}. */
export interface SgdOptions {
  /** Heavy-ball momentum mu, 0 <= mu < 1. Default 0; the constant 0 stores no buffer. */
  readonly momentum?: Schedule
  /** What is withheld from the gradient as it enters the buffer, 0 <= dampening <= 1. Default 0. */
  readonly dampening?: Schedule
  /** Nesterov's look-ahead; needs momentum and no dampening. Default false. */
  readonly nesterov?: boolean
}

/**
 * Stochastic gradient descent with heavy-ball or Nesterov momentum, in PyTorch's form:
 *
 *     b <- g in the first step, then  b <- mu b + (1 - dampening) g
 *     D = b, or g + mu b with Nesterov, or g without momentum
 *
 * State: 1 fp32 number an element, none without momentum.
 *
 * Source: Polyak, USSR Comp. Math. Math. Phys. 4 (1964); Nesterov's form: Sutskever et al., ICML 2013, equations 3, 4.
 */
export function sgd(options: SgdOptions = {}): Rule<ParameterwiseState> {
  checkFields('sgd', options, ['momentum', 'dampening', 'nesterov'])
  const momentum = hyperparameter('sgd', 'momentum', options.momentum ?? 0, { min: 0, below: 1 })
  const dampening = hyperparameter('sgd', 'dampening', options.dampening ?? 0, { min: 0, max: 1 })
  const nesterov = boolean('sgd', 'nesterov', options.nesterov ?? false)
  const hasBuffer = (options.momentum ?? 0) !== 0
  if (nesterov && (!hasBuffer || (options.dampening ?? 0) !== 0)) {
    throw optionError('sgd', 'nesterov', true, 'false, or true with momentum > 0 and dampening 0')
  }
  return parameterwise<'buffer' | 'direction', 'started'>({
    name: 'sgd',
    arrays: hasBuffer ? { buffer: 'whole' } : {},
    scratch: nesterov ? { direction: 'whole' } : {},
    // 1 once the buffer holds a gradient.
    numbers: hasBuffer ? { started: 0 } : {},
    flopsPerElement: hasBuffer ? 3 + (nesterov ? 3 : 0) : 0,
    step: (present, { device, step }) => {
      if (!hasBuffer) return present.map(({ gradient }) => gradient)
      const mu = momentum(step)
      const damped = 1 - dampening(step)
      const entries = present.map(({ gradient, arrays, numbers }) => {
        const weights = numbers.started === 0 ? { mDecay: 0, mWeight: 1 } : { mDecay: mu, mWeight: damped }
        numbers.started = 1
        return { gradient, m: arrays.buffer, ...weights, direction: arrays.direction, fromGradient: 1, fromM: mu }
      })
      updateAll(device, 'momentum', entries)
      return present.map(({ arrays }) => (nesterov ? arrays.direction : arrays.buffer))
    },
  })
}
