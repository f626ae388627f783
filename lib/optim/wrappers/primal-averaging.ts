import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn } from '../../schedule/validate.js'
import type { Rule } from '../rule.js'
import { interpolation } from './interpolation.js'
import { checkedRule, type WrapperState } from './wrapper.js'

/** Options of {@link primalAveraging}. */
export interface PrimalAveragingOptions {
  /** Part of the old average in the new one, 0 <= evaluation < 1. Default 0.9; at 0 it is the rule alone. */
  readonly evaluation?: Schedule
  /** Part of the average in the point where gradients are taken, 0 <= training <= 1. Default 0.8. */
  readonly training?: number
}

/**
 * Generalized primal averaging: an exponential average x of the base iterate z is evaluated, and gradients are taken between
 * the two,
 *
 *     y = training x + (1 - training) z,   z <- z - lr D(gradient at y) - shrinkage y
 *     x <- evaluation x + (1 - evaluation) z
 *
 * The parameters hold y; evaluation takes x. With `training` = `evaluation` over SGD it is Nesterov's momentum in other
 * variables. Unlike Schedule-Free it wants the usual decay of the learning rate. State: 1 fp32 number an element.
 *
 * Source: Defazio et al., Smoothing DiLoCo with Primal Averaging, arXiv 2512.17131 (GPA); defaults: Distributed Shampoo.
 */
export function primalAveraging(rule: Rule, options: PrimalAveragingOptions = {}): Rule<WrapperState> {
  const owner = 'primalAveraging'
  checkFields(owner, options, ['evaluation', 'training'])
  const evaluation = hyperparameter(owner, 'evaluation', options.evaluation ?? 0.9, { min: 0, below: 1 })
  return interpolation({
    name: owner,
    rule: checkedRule(owner, rule),
    training: numberIn(owner, 'training', options.training ?? 0.8, { min: 0, max: 1 }),
    weight: (_, { step }) => 1 - evaluation(step),
  })
}
