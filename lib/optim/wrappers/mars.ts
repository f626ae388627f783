import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn } from '../../schedule/validate.js'
import { callback, type GradientAt } from '../oracle.js'
import type { Gradients, Rule } from '../rule.js'
import { gradientElsewhere, neededValues } from './gradient-at.js'
import { normsOf } from './norms.js'
import { checkedRule, type WrapperState, type WrapperStep, wrapper } from './wrapper.js'

/** Options of {@link mars}. */
export interface MarsOptions {
  /** Strength gamma >= 0 of the variance reduction. Default 0.025; at 0, without a clip, it is the rule alone. */
  readonly gamma?: Schedule
  /** beta1 of the correction, 0 <= beta1 < 1; the decay of the rule's own first moment. Default 0.95. */
  readonly beta1?: Schedule
  /** Largest norm of a corrected gradient, a parameter, > 0. Default 1; 'none' clips nothing. */
  readonly clip?: number | 'none'
  /**
   * Gradient of the loss of the current batch at other values: the exact form. Left out: the approximate form, which takes
   * the gradient of the step before.
   */
  readonly gradientAt?: GradientAt
}

type MarsStep = WrapperStep<'before' | 'gradient' | 'corrected', 'seen'>

/**
 * MARS: a rule on gradients whose variance is reduced by the gradient of the step before,
 *
 *     c = g + gamma beta1 / (1 - beta1) (g - g'),   c <- c / max(1, |c| / clip),   D = rule(c)
 *     exact         g' = gradient of this batch at the values of the step before, by callback
 *     approximate   g' = gradient g of the step before
 *
 * with c = g in the first step of a parameter. The exact form compares g with what its callback says: put it outside of
 * wrappers that change gradients (`mars(vrgd(...))`, not `vrgd(mars(...))`). State: 1 fp32 number an element, previous values or gradients. The paper's
 * rules: `mars(adamw({ beta1: 0.95, beta2: 0.99 }))`, and `mars(muon({ nesterov: false }))` for its MARS-Shampoo.
 *
 * Source: Yuan et al., MARS: Unleashing the Power of Variance Reduction, arXiv 2411.10438; the norm
 * of the clip is that of a parameter, as in its code.
 */
export function mars(rule: Rule, options: MarsOptions = {}): Rule<WrapperState> {
  const owner = 'mars'
  checkFields(owner, options, ['gamma', 'beta1', 'clip', 'gradientAt'])
  const gamma = hyperparameter(owner, 'gamma', options.gamma ?? 0.025, { min: 0 })
  const beta1 = hyperparameter(owner, 'beta1', options.beta1 ?? 0.95, { min: 0, below: 1 })
  const clip = options.clip === 'none' ? 'none' : numberIn(owner, 'clip', options.clip ?? 1, { above: 0 })
  const gradientAt = callback(owner, 'gradientAt', options.gradientAt, true)
  const isExact = gradientAt !== undefined
  return wrapper<'before' | 'gradient' | 'corrected', 'seen'>({
    name: owner,
    rule: checkedRule(owner, rule),
    arrays: { before: 'whole' },
    scratch: { corrected: 'whole', ...(isExact ? { gradient: 'whole' } : {}) },
    numbers: { seen: 0 },
    needsValues: isExact,
    flopsPerElement: 5,
    update: (step) => {
      const { gradients, context } = step
      const decay = beta1(context.step)
      const strength = (gamma(context.step) * decay) / (1 - decay)
      const earlier =
        gradientAt === undefined || strength === 0 ? befores(step) : gradientsBefore(owner, gradientAt, step)
      const corrected = correct(step, earlier, strength)
      if (clip !== 'none') clipAll(step, corrected, clip)
      const remembered = isExact ? neededValues(owner, context) : gradients
      step.combine(
        step.parameters.map(({ arrays, numbers }, index) => {
          if (gradients[index] === null) return null
          numbers.seen = 1
          return { gradient: remembered[index]!, direction: arrays.before, fromGradient: 1 }
        }),
      )
      return step.inner(corrected)
    },
  })
}

const befores = ({ parameters }: MarsStep) => parameters.map(({ arrays }) => arrays.before)

/** Gradients of this batch at the values of the step before; a parameter that has none stays where it is. */
function gradientsBefore(owner: string, gradientAt: GradientAt, step: MarsStep): Gradients {
  const { gradients, parameters, context } = step
  const isMet = parameters.map(({ numbers }, index) => gradients[index] !== null && numbers.seen === 1)
  if (!isMet.includes(true)) return befores(step)
  const values = neededValues(owner, context).map((value, index) =>
    isMet[index] ? parameters[index]!.arrays.before : value,
  )
  return gradientElsewhere(owner, gradientAt, step, values)
}

function correct({ gradients, parameters, combine }: MarsStep, earlier: Gradients, strength: number): Gradients {
  const entries = parameters.map(({ arrays, numbers }, index) => {
    const gradient = gradients[index]
    if (!gradient) return null
    const difference =
      numbers.seen === 0 || strength === 0
        ? { fromGradient: 1 }
        : { m: earlier[index]!, fromGradient: 1 + strength, fromM: -strength }
    return { gradient, direction: arrays.corrected, ...difference }
  })
  combine(entries)
  return entries.map((entry) => entry?.direction ?? null)
}

/** Shortens the arrays whose norm is above `limit`. */
function clipAll({ device, context, combine }: MarsStep, arrays: Gradients, limit: number): void {
  const norms = normsOf(device, arrays, context)
  combine(
    arrays.map((gradient, index) => {
      const norm = norms[index]!
      return gradient !== null && norm > limit ? { gradient, direction: gradient, fromGradient: limit / norm } : null
    }),
  )
}
