import type { ParameterwiseState } from '../parameterwise.js'
import type { Rule } from '../rule.js'
import { type AdamOptions, adamNamed } from './adam.js'

/** Options of {@link adamw}. */
export type AdamWOptions = AdamOptions

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
  return adamNamed('adamw', options)
}
