import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn } from '../../schedule/validate.js'
import type { Rule } from '../rule.js'
import { addMoves, shifted } from './move.js'
import { checkedRule, type WrapperState, wrapper } from './wrapper.js'

/** Options of {@link lookahead}. */
export interface LookaheadOptions {
  /** Steps of the rule between two steps of the slow weights, an integer >= 1. Default 5. */
  readonly every?: number
  /** Step alpha of the slow weights towards the fast ones, 0 < alpha <= 1. Default 0.5; at 1 it is the rule alone. */
  readonly alpha?: Schedule
}

/**
 * Lookahead: after every k steps of the rule the slow weights phi follow the fast ones W, which start again from there,
 *
 *     phi <- phi + alpha (W - phi),   W <- phi
 *
 * What is kept is the distance phi - W, 1 fp32 number an element. Each parameter counts the steps it has made. A step with
 * learning rate 0 does not count. Evaluation takes the slow weights.
 *
 * Source: Zhang et al., Lookahead Optimizer: k steps forward, 1 step back, arXiv 1907.08610, algorithm 1.
 */
export function lookahead(rule: Rule, options: LookaheadOptions = {}): Rule<WrapperState> {
  const owner = 'lookahead'
  checkFields(owner, options, ['every', 'alpha'])
  const every = numberIn(owner, 'every', options.every ?? 5, { min: 1, integer: true })
  const alpha = hyperparameter(owner, 'alpha', options.alpha ?? 0.5, { above: 0, max: 1 })
  return wrapper<'distance' | 'direction', 'steps'>({
    name: owner,
    rule: checkedRule(owner, rule),
    arrays: { distance: 'whole' },
    scratch: { direction: 'whole' },
    numbers: { steps: 0 },
    flopsPerElement: 2,
    update: (step) => {
      const { context, parameters, combine } = step
      const { lr } = context
      const directions = step.inner(step.gradients)
      if (lr === 0) return directions
      addMoves(
        step,
        directions,
        parameters.map(({ arrays }) => ({ to: arrays.distance, kept: 1, times: 1 })),
      )
      const meeting = parameters.map(({ arrays, numbers }, index) => {
        const gradient = directions[index]
        if (!gradient) return null
        numbers.steps = (numbers.steps + 1) % every
        return numbers.steps === 0 ? { gradient, ...arrays } : null
      })
      // phi' - (W - u) = -(1 - alpha) (W - u - phi)
      const back = (alpha(context.step) - 1) / lr
      combine(
        meeting.map(
          (entry) =>
            entry && {
              gradient: entry.gradient,
              m: entry.distance,
              direction: entry.direction,
              fromGradient: 1,
              fromM: back,
            },
        ),
      )
      combine(meeting.map((entry) => entry && { gradient: entry.distance, direction: entry.distance, fromGradient: 0 }))
      return directions.map((direction, index) => meeting[index]?.direction ?? direction)
    },
    evaluation: (parameters, values, device) => shifted(device, values, parameters, 1),
  })
}
