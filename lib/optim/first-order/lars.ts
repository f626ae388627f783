import { checkFields } from '../../errors.js'
import { reduce } from '../../linalg/reduce.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import { type ParameterwiseState, parameterwise } from '../parameterwise.js'
import type { Rule } from '../rule.js'

/** Options of {@link lars}. */
export interface LarsOptions {
  /** Decay mu of the momentum, 0 <= mu < 1. Default 0.9. */
  readonly momentum?: Schedule
  /** Trust coefficient eta > 0. Default 0.001. */
  readonly trust?: Schedule
  /** Weight decay beta >= 0 that takes part in the local rate. Default 0. The weight decay of the group does not. */
  readonly weightDecay?: Schedule
}

/**
 * LARS: momentum over gradients that are scaled, parameter by parameter, to the size of the parameter:
 *
 *     lambda = eta |w| / (|g| + beta |w|), 1 where w or the denominator is zero
 *     b <- mu b + lambda (g + beta w)     D = b
 *
 * The learning rate stays outside of the momentum, which makes no difference while it is constant. Biases and norms belong to
 * a group with another rule. State: 1 fp32 number an element. Needs the values of the parameters.
 *
 * Source: You, Gitman and Ginsburg, arXiv 1708.03888, algorithm 1.
 */
export function lars(options: LarsOptions = {}): Rule<ParameterwiseState> {
  checkFields('lars', options, ['momentum', 'trust', 'weightDecay'])
  const momentum = hyperparameter('lars', 'momentum', options.momentum ?? 0.9, { min: 0, below: 1 })
  const trust = hyperparameter('lars', 'trust', options.trust ?? 1e-3, { above: 0 })
  const weightDecay = hyperparameter('lars', 'weightDecay', options.weightDecay ?? 0, { min: 0 })
  return parameterwise<'buffer' | 'regularized'>({
    name: 'lars',
    arrays: { buffer: 'whole' },
    scratch: { regularized: 'whole' },
    flopsPerElement: 10,
    needsValues: true,
    step: (present, { device, step }) => {
      const beta = weightDecay(step)
      const squares = reduce(
        device,
        'dot',
        present.flatMap(({ gradient, value }) => [{ x: gradient }, { x: value! }]),
      )
      updateAll(
        device,
        'combine',
        present.map(({ gradient, value, arrays: { regularized } }) => ({
          gradient,
          m: value,
          fromGradient: 1,
          fromM: beta,
          direction: regularized,
        })),
      )
      updateAll(
        device,
        'momentum',
        present.map(({ arrays: { buffer, regularized } }, index) => {
          const [gradientNorm, norm] = [Math.sqrt(squares[2 * index]!), Math.sqrt(squares[2 * index + 1]!)]
          const denominator = gradientNorm + beta * norm
          const rate = norm > 0 && denominator > 0 ? (trust(step) * norm) / denominator : 1
          return { gradient: regularized, m: buffer, mDecay: momentum(step), mWeight: rate }
        }),
      )
      return present.map(({ arrays }) => arrays.buffer)
    },
  })
}
