import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter } from '../../schedule/validate.js'
import type { ParameterwiseState } from '../parameterwise.js'
import type { Rule } from '../rule.js'
import { diagonalRule, optionalDecay } from './diagonal.js'

/** Options of {@link adamw}. */
export interface AdamWOptions {
  /** Decay of the gradient's average, 0 <= beta1 < 1. Default 0.9; the constant 0 stores no average. */
  readonly beta1?: Schedule
  /** Decay of the squared gradient's average, 0 <= beta2 < 1. Default 0.999. */
  readonly beta2?: Schedule
  /** Added to the root of the second moment, > 0. Default 1e-8. */
  readonly epsilon?: Schedule
}

/**
 * AdamW: D = m' / (sqrt(v') + epsilon) with both moments corrected for their start at zero,
 *
 *     m <- beta1 m + (1 - beta1) g     v <- beta2 v + (1 - beta2) g^2     m' = m / (1 - beta1^t)     v' = v / (1 - beta2^t)
 *
 * The W is the decoupled weight decay of the parameter group, the default mode there (its rate defaults to 0, not to
 * PyTorch's 0.01). State: 2 fp32 numbers an element.
 *
 * Source: Kingma and Ba, arXiv 1412.6980, algorithm 1; Loshchilov and Hutter, arXiv 1711.05101, algorithm 2.
 */
export function adamw(options: AdamWOptions = {}): Rule<ParameterwiseState> {
  checkFields('adamw', options, ['beta1', 'beta2', 'epsilon'])
  const beta1 = options.beta1 ?? 0.9
  return diagonalRule({
    name: 'adamw',
    beta1: optionalDecay(beta1, hyperparameter('adamw', 'beta1', beta1, { min: 0, below: 1 })),
    beta2: hyperparameter('adamw', 'beta2', options.beta2 ?? 0.999, { min: 0, below: 1 }),
    isSecondCorrected: true,
    epsilon: hyperparameter('adamw', 'epsilon', options.epsilon ?? 1e-8, { above: 0 }),
  })
}
