import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { boolean, hyperparameter } from '../../schedule/validate.js'
import type { ParameterwiseState } from '../parameterwise.js'
import type { Rule } from '../rule.js'
import { diagonalRule, optionalDecay } from './diagonal.js'

/** Options of {@link amsgrad}. */
export interface AmsGradOptions {
  /** Decay of the gradient's average, 0 <= beta1 < 1. Default 0.9; the constant 0 stores no average. */
  readonly beta1?: Schedule
  /** Decay of the squared gradient's average, 0 <= beta2 < 1. Default 0.999. */
  readonly beta2?: Schedule
  /** Added to the root of the second moment, > 0. Default 1e-8. */
  readonly epsilon?: Schedule
  /** Whether the second moment is corrected for its start at zero, after the maximum was taken. Default true, as in PyTorch. */
  readonly biasCorrection?: boolean
}

/**
 * AMSGrad: Adam with the largest second moment so far, so that no element's step ever grows again,
 *
 *     m <- beta1 m + (1 - beta1) g     v <- beta2 v + (1 - beta2) g^2     u <- max(u, v)
 *     D = m / (1 - beta1^t) / (sqrt(u / (1 - beta2^t)) + epsilon)
 *
 * The paper corrects neither moment; without `biasCorrection` the second one is not. State: 3 fp32 numbers an element.
 *
 * Source: Reddi, Kale and Kumar, arXiv 1904.09237, algorithm 2.
 */
export function amsgrad(options: AmsGradOptions = {}): Rule<ParameterwiseState> {
  checkFields('amsgrad', options, ['beta1', 'beta2', 'epsilon', 'biasCorrection'])
  const beta1 = options.beta1 ?? 0.9
  return diagonalRule({
    name: 'amsgrad',
    beta1: optionalDecay(beta1, hyperparameter('amsgrad', 'beta1', beta1, { min: 0, below: 1 })),
    beta2: hyperparameter('amsgrad', 'beta2', options.beta2 ?? 0.999, { min: 0, below: 1 }),
    isSecondCorrected: boolean('amsgrad', 'biasCorrection', options.biasCorrection ?? true),
    epsilon: hyperparameter('amsgrad', 'epsilon', options.epsilon ?? 1e-8, { above: 0 }),
    keepsLargest: true,
  })
}
