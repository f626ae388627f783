import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter } from '../../schedule/validate.js'
import type { ParameterwiseState } from '../parameterwise.js'
import type { Rule } from '../rule.js'
import { diagonalRule, optionalDecay } from './diagonal.js'

/** Options of {@link rmsprop}. */
export interface RmsPropOptions {
  /** Decay of the gradient's average, corrected for its start at zero, 0 <= beta1 < 1. Default 0: the gradient itself. */
  readonly beta1?: Schedule
  /** Decay of the squared gradient's average, 0 <= beta2 < 1. Default 0.99. */
  readonly beta2?: Schedule
  /** Added to the root of the second moment, > 0. Default 1e-8. */
  readonly epsilon?: Schedule
}

/**
 * RMSProp: D = g / (sqrt(v) + epsilon), v <- beta2 v + (1 - beta2) g^2, v not corrected for its start at zero (the first
 * direction is g / (sqrt(1 - beta2) |g|)). State: 1 fp32 number an element, 2 with beta1.
 *
 * Source: Tieleman and Hinton, Lecture 6.5, Neural Networks for Machine Learning, 2012; epsilon outside the root as in
 * PyTorch.
 */
export function rmsprop(options: RmsPropOptions = {}): Rule<ParameterwiseState> {
  checkFields('rmsprop', options, ['beta1', 'beta2', 'epsilon'])
  const beta1 = options.beta1 ?? 0
  return diagonalRule({
    name: 'rmsprop',
    beta1: optionalDecay(beta1, hyperparameter('rmsprop', 'beta1', beta1, { min: 0, below: 1 })),
    beta2: hyperparameter('rmsprop', 'beta2', options.beta2 ?? 0.99, { min: 0, below: 1 }),
    isSecondCorrected: false,
    epsilon: hyperparameter('rmsprop', 'epsilon', options.epsilon ?? 1e-8, { above: 0 }),
  })
}
