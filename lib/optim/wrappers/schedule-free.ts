import { checkFields } from '../../errors.js'
import { numberIn } from '../../schedule/validate.js'
import type { Rule } from '../rule.js'
import { interpolation } from './interpolation.js'
import { checkedRule, type WrapperState } from './wrapper.js'

/** Options of {@link scheduleFree}. */
export interface ScheduleFreeOptions {
  /** Part beta of the average in the point where gradients are taken, 0 <= beta <= 1. Default 0.9. */
  readonly training?: number
  /** Power of the learning rate by which a step weighs in the average, >= 0. Default 2. */
  readonly power?: number
}

/**
 * Schedule-Free: a constant learning rate (after a warm-up) and the average of the iterates in place of a decay,
 *
 *     y = (1 - beta) z + beta x,   z <- z - lr D(gradient at y) - shrinkage y
 *     x <- (1 - c) x + c z,        c = lr^power / (sum of lr^power so far)
 *
 * The parameters hold y. Evaluation takes x: ship that, and recompute statistics of batch norms there. Beta takes the place of
 * momentum, so the rule should have none: `scheduleFree(adamw({ beta1: 0 }))`. At beta 0 it is Polyak averaging, at 1
 * primal averaging. State: 1 fp32 number an element.
 *
 * Source: Defazio et al., The Road Less Scheduled, arXiv 2405.15682, equations 3 to 5.
 */
export function scheduleFree(rule: Rule, options: ScheduleFreeOptions = {}): Rule<WrapperState> {
  const owner = 'scheduleFree'
  checkFields(owner, options, ['training', 'power'])
  const power = numberIn(owner, 'power', options.power ?? 2, { min: 0 })
  return interpolation<'weights'>({
    name: owner,
    rule: checkedRule(owner, rule),
    training: numberIn(owner, 'training', options.training ?? 0.9, { min: 0, max: 1 }),
    numbers: { weights: 0 },
    weight: (numbers, { lr }) => {
      const own = lr ** power
      numbers.weights += own
      return own / numbers.weights
    },
  })
}
