import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter } from '../../schedule/validate.js'
import type { ParameterwiseState } from '../parameterwise.js'
import type { Rule } from '../rule.js'
import { diagonalRule, optionalDecay } from './diagonal.js'

/** Options of {@link adagrad}. */
export interface AdaGradOptions {
  /** Decay of the gradient's average, corrected for its start at zero, 0 <= beta1 < 1. Default 0: the gradient itself. */
  readonly beta1?: Schedule
  /** Added to the root of the sum, > 0. Default 1e-10. */
  readonly epsilon?: Schedule
}

/**
 * AdaGrad, diagonal: D = g / (sqrt(v) + epsilon), v <- v + g^2. State: 1 fp32 number an element, 2 with beta1.
 *
 * Source: Duchi, Hazan and Singer, JMLR 12 (2011), figure 1 with diagonal matrices.
 */
export function adagrad(options: AdaGradOptions = {}): Rule<ParameterwiseState> {
  checkFields('adagrad', options, ['beta1', 'epsilon'])
  const beta1 = options.beta1 ?? 0
  return diagonalRule({
    name: 'adagrad',
    beta1: optionalDecay(beta1, hyperparameter('adagrad', 'beta1', beta1, { min: 0, below: 1 })),
    beta2: 'sum',
    isSecondCorrected: false,
    epsilon: hyperparameter('adagrad', 'epsilon', options.epsilon ?? 1e-10, { above: 0 }),
  })
}
