import { checkFields } from '../../errors.js'
import { numberIn } from '../../schedule/validate.js'
import type { Rule } from '../rule.js'
import { addMoves, shifted } from './move.js'
import { checkedRule, type WrapperState, wrapper } from './wrapper.js'

/** Options of {@link xgrad}. */
export interface XgradOptions {
  /** How many steps s ahead the weights are predicted, >= 0. Default 1; at 0 it is the rule alone. */
  readonly ahead?: number
}

/**
 * XGrad: gradients are taken at weights that the rule's own last update predicts, and applied to the true weights V,
 *
 *     V <- V - u,  u = lr D + shrinkage W      the update of the rule from the gradient at W
 *     W <- V - s u                             where the next gradient is to be taken
 *
 * The parameters hold the predicted weights W, so that a step costs no second gradient; evaluation takes the true ones.
 * What is kept is the distance W - V, 1 fp32 number an element. A step with learning rate 0 predicts nothing new.
 *
 * Source: Guan et al., XGrad: Boosting Gradient-Based Optimizers With Weight Prediction, arXiv 2305.18240.
 */
export function xgrad(rule: Rule, options: XgradOptions = {}): Rule<WrapperState> {
  const owner = 'xgrad'
  checkFields(owner, options, ['ahead'])
  const ahead = numberIn(owner, 'ahead', options.ahead ?? 1, { min: 0 })
  return wrapper<'distance' | 'direction'>({
    name: owner,
    rule: checkedRule(owner, rule),
    arrays: { distance: 'whole' },
    scratch: { direction: 'whole' },
    flopsPerElement: 5,
    update: (step) => {
      const { lr, shrinkage = 0, parameters: values } = step.context
      const directions = step.inner(step.gradients)
      if (lr === 0) return directions
      const present = step.parameters.map(({ arrays }, index) => {
        const gradient = directions[index]
        return gradient ? { gradient, ...arrays } : null
      })
      // W - shrinkage W - W_next = (1 + s) lr D + (W - V) + s shrinkage W
      step.combine(
        present.map(
          (entry) =>
            entry && {
              gradient: entry.gradient,
              m: entry.distance,
              direction: entry.direction,
              fromGradient: 1 + ahead,
              fromM: 1 / lr,
            },
        ),
      )
      if (shrinkage !== 0 && values !== undefined) {
        step.combine(
          present.map((entry, index) => {
            if (entry === null) return null
            const weights = { fromGradient: (ahead * shrinkage) / lr, fromM: 1 }
            return { gradient: values[index]!, m: entry.direction, direction: entry.direction, ...weights }
          }),
        )
      }
      addMoves(
        step,
        directions,
        step.parameters.map(({ arrays }) => ({ to: arrays.distance, kept: 0, times: -ahead })),
      )
      return present.map((entry) => entry?.direction ?? null)
    },
    evaluation: (parameters, values, device) => shifted(device, values, parameters, -1),
  })
}
