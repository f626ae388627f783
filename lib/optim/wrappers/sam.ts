import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, oneOf } from '../../schedule/validate.js'
import { callback, type GradientAt } from '../oracle.js'
import type { Rule } from '../rule.js'
import { gradientElsewhere, neededValues } from './gradient-at.js'
import { normsOf } from './norms.js'
import { checkedRule, type WrapperState, wrapper } from './wrapper.js'

/** Options of {@link sam}. */
export interface SamOptions {
  /** Gradient of the loss of the current batch at other values. */
  readonly gradientAt: GradientAt
  /** Radius rho >= 0 of the neighbourhood. Default 0.05; at 0 it is the rule alone. */
  readonly rho?: Schedule
  /** Whether the norm |g| is that of the whole group (default, the paper's) or of each parameter. */
  readonly scope?: 'group' | 'parameter'
}

/**
 * Sharpness-aware minimization: the rule gets the gradient at the worst point of a small ball,
 *
 *     g' = gradient at  W + rho g / |g|,   D = rule(g')
 *
 * g is the gradient of the step. One gradient more a step, from the callback; where g is zero there is no direction to go and
 * none is asked for. No state; three fp32 arrays an element in flight.
 *
 * Source: Foret et al., Sharpness-Aware Minimization, arXiv 2010.01412, equations 2 and 3.
 */
export function sam(rule: Rule, options: SamOptions): Rule<WrapperState> {
  const owner = 'sam'
  checkFields(owner, options, ['gradientAt', 'rho', 'scope'])
  const gradientAt = callback(owner, 'gradientAt', options.gradientAt)
  const rho = hyperparameter(owner, 'rho', options.rho ?? 0.05, { min: 0 })
  const scope = oneOf(owner, 'scope', options.scope ?? 'group', ['group', 'parameter'])
  return wrapper<'at' | 'gradient'>({
    name: owner,
    rule: checkedRule(owner, rule),
    arrays: {},
    scratch: { at: 'whole', gradient: 'whole' },
    needsValues: true,
    flopsPerElement: 4,
    update: (step) => {
      const { gradients, parameters, context } = step
      const radius = rho(context.step)
      const norms = radius === 0 ? [] : normsOf(step.device, gradients, context)
      if (norms.every((norm) => norm === 0)) return step.inner(gradients)
      const whole = Math.hypot(...norms)
      const values = neededValues(owner, context)
      const entries = gradients.map((gradient, index) => {
        if (gradient === null || norms[index] === 0) return null
        const weights = { fromGradient: radius / (scope === 'group' ? whole : norms[index]!), fromM: 1 }
        return { gradient, m: values[index]!, direction: parameters[index]!.arrays.at, ...weights }
      })
      step.combine(entries)
      const at = values.map((value, index) => entries[index]?.direction ?? value)
      return step.inner(gradientElsewhere(owner, gradientAt, step, at))
    },
  })
}
