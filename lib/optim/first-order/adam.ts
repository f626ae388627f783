import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter } from '../../schedule/validate.js'
import type { ParameterwiseState } from '../parameterwise.js'
import type { Rule } from '../rule.js'
import { diagonalRule, optionalDecay } from './diagonal.js'

/** Options of {@link adam} and of {@link adamw}. */
export interface AdamOptions {
  /** Decay of the gradient's average, 0 <= beta1 < 1. Default 0.9; the constant 0 stores no average. */
  readonly beta1?: Schedule
  /** Decay of the squared gradient's average, 0 <= beta2 < 1. Default 0.999. */
  readonly beta2?: Schedule
  /** Added to the root of the second moment, > 0. Default 1e-8. */
  readonly epsilon?: Schedule
}

/**
 * Adam: D = m' / (sqrt(v') + epsilon) with both moments corrected for their start at zero,
 *
 *     m <- beta1 m + (1 - beta1) g     v <- beta2 v + (1 - beta2) g^2     m' = m / (1 - beta1^t)     v' = v / (1 - beta2^t)
 *
 * The direction is that of `adamw`. What sets the two methods apart is the weight decay, which belongs to the group: the
 * regularised gradient of Adam is `weightDecayMode: 'l2'`, the decoupled decay of AdamW the default mode. State: 2 fp32
 * numbers an element.
 *
 * Source: Kingma and Ba, arXiv 1412.6980, algorithm 1.
 */
export function adam(options: AdamOptions = {}): Rule<ParameterwiseState> {
  return adamNamed('adam', options)
}

/** Adam's direction under the name of a rule. */
export function adamNamed(name: string, options: AdamOptions): Rule<ParameterwiseState> {
  checkFields(name, options, ['beta1', 'beta2', 'epsilon'])
  const beta1 = options.beta1 ?? 0.9
  return diagonalRule({
    name,
    beta1: optionalDecay(beta1, hyperparameter(name, 'beta1', beta1, { min: 0, below: 1 })),
    beta2: hyperparameter(name, 'beta2', options.beta2 ?? 0.999, { min: 0, below: 1 }),
    isSecondCorrected: true,
    epsilon: hyperparameter(name, 'epsilon', options.epsilon ?? 1e-8, { above: 0 }),
  })
}
