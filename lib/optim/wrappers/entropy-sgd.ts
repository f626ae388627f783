import { checkFields } from '../../errors.js'
import { lengthOf } from '../../precondition/arrays.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn } from '../../schedule/validate.js'
import { normalNoise } from '../noise.js'
import { callback, type GradientAt } from '../oracle.js'
import type { Gradients, Rule } from '../rule.js'
import { gradientElsewhere, neededValues } from './gradient-at.js'
import { normsOf } from './norms.js'
import { checkedRule, type WrapperState, type WrapperStep, wrapper } from './wrapper.js'

/** Options of {@link entropySgd}. */
export interface EntropySgdOptions {
  /** Gradient of the loss at other values, best of another batch at every call. */
  readonly gradientAt: GradientAt
  /** Langevin steps L of an outer step, an integer >= 1: L - 1 calls of `gradientAt`. Default 20. */
  readonly steps?: number
  /** Learning rate eta' of the Langevin steps, > 0. Default 0.1. */
  readonly innerLr?: Schedule
  /** Scope gamma > 0: how strongly the walk is held to W. Default 1e-4 (1 + 1e-3)^t. */
  readonly gamma?: Schedule
  /** Weight alpha of a new point in the average mu, 0 < alpha <= 1. Default 0.75. */
  readonly alpha?: Schedule
  /** Size epsilon >= 0 of the thermal noise. Default 1e-4. */
  readonly noise?: Schedule
  /** Of the noise: an integer. Default 0. */
  readonly seed?: number
}

type EntropyStep = WrapperStep<'point' | 'average' | 'gradient', 'steps'>

/**
 * Entropy-SGD: the rule gets the gradient of the local entropy, an average of the loss over a neighbourhood that L steps of
 * Langevin dynamics explore, from x = mu = W:
 *
 *     x <- x - eta' (gradient at x + gamma (x - W)) + sqrt(eta') epsilon n,   n normal
 *     mu <- (1 - alpha) mu + alpha x
 *     D = rule(gamma (W - mu))
 *
 * The first of the L gradients is that of the step. Noise depends on the seed, the name of the parameter and the number of
 * its steps, which is all that is saved. With SGD choose a learning rate of about 1 / gamma. A parameter whose gradient is
 * exactly zero rests. Cost: L - 1 gradients, and normal numbers from JavaScript.
 *
 * Source: Chaudhari et al., Entropy-SGD, arXiv 1611.01838, algorithm 1.
 */
export function entropySgd(rule: Rule, options: EntropySgdOptions): Rule<WrapperState> {
  const owner = 'entropySgd'
  checkFields(owner, options, ['gradientAt', 'steps', 'innerLr', 'gamma', 'alpha', 'noise', 'seed'])
  const gradientAt = callback(owner, 'gradientAt', options.gradientAt)
  const length = numberIn(owner, 'steps', options.steps ?? 20, { min: 1, integer: true })
  const innerLr = hyperparameter(owner, 'innerLr', options.innerLr ?? 0.1, { above: 0 })
  const gamma = hyperparameter(owner, 'gamma', options.gamma ?? ((step) => 1e-4 * 1.001 ** step), { above: 0 })
  const alpha = hyperparameter(owner, 'alpha', options.alpha ?? 0.75, { above: 0, max: 1 })
  const noise = hyperparameter(owner, 'noise', options.noise ?? 1e-4, { min: 0 })
  const seed = numberIn(owner, 'seed', options.seed ?? 0, { integer: true })
  return wrapper<'point' | 'average' | 'gradient', 'steps'>({
    name: owner,
    rule: checkedRule(owner, rule),
    arrays: {},
    scratch: { point: 'whole', average: 'whole', gradient: 'whole' },
    numbers: { steps: 0 },
    needsValues: true,
    flopsPerElement: 30 * length,
    update: (step) => {
      const { context, parameters } = step
      const values = neededValues(owner, context)
      const moving = restless(step)
      const settings = {
        lr: innerLr(context.step),
        scope: gamma(context.step),
        alpha: alpha(context.step),
        noise: noise(context.step),
        seed,
      }
      for (let walked = 0; walked < length; walked++) {
        const at = parameters.map(({ arrays }, index) => (moving[index] ? arrays.point : values[index]!))
        const gradients =
          walked === 0 ? moving : gradientElsewhere(owner, gradientAt, { ...step, gradients: moving }, at)
        walk(step, gradients, walked, settings)
      }
      const entries = moving.map((gradient, index) => {
        if (gradient === null) return null
        const { average } = parameters[index]!.arrays
        const weights = { fromGradient: settings.scope, fromM: -settings.scope }
        return { gradient: values[index]!, m: average, direction: average, ...weights }
      })
      step.combine(entries)
      return step.inner(step.gradients.map((gradient, index) => entries[index]?.direction ?? gradient))
    },
  })
}

/** Numbers of one outer step. */
interface Walk {
  readonly lr: number
  readonly scope: number
  readonly alpha: number
  readonly noise: number
  readonly seed: number
}

/** The gradients with null for those that are exactly zero; the others count a step. */
function restless({ gradients, parameters, context, device }: EntropyStep): Gradients {
  const norms = normsOf(device, gradients, context)
  return gradients.map((gradient, index) => {
    if (norms[index] === 0) return null
    parameters[index]!.numbers.steps++
    return gradient
  })
}

/** One Langevin step of the parameters that have a gradient; in the first one x = mu = W. */
function walk(step: EntropyStep, gradients: Gradients, walked: number, settings: Walk): void {
  const { parameters, context, combine } = step
  const { lr, scope, alpha, noise } = settings
  const values = context.parameters!
  const present = parameters.map((parameter, index) => {
    const gradient = gradients[index]
    const value = values[index]!
    return gradient ? { ...parameter, ...parameter.arrays, gradient, value } : null
  })
  if (walked > 0) {
    combine(
      present.map((entry) => {
        if (entry === null) return null
        const weights = { fromGradient: lr * scope, fromM: 1 - lr * scope }
        return { gradient: entry.value, m: entry.point, direction: entry.point, ...weights }
      }),
    )
  }
  combine(
    present.map((entry) => {
      if (entry === null) return null
      const from = walked === 0 ? entry.value : entry.point
      return { gradient: entry.gradient, m: from, direction: entry.point, fromGradient: -lr, fromM: 1 }
    }),
  )
  if (noise !== 0) {
    combine(
      present.map((entry) => {
        if (entry === null) return null
        const key = [settings.seed, entry.numbers.steps, walked, entry.spec.name].join(' ')
        const shaking = normalNoise(key, lengthOf(entry.point))
        const weights = { fromGradient: Math.sqrt(lr) * noise, fromM: 1 }
        return { gradient: shaking, m: entry.point, direction: entry.point, ...weights }
      }),
    )
  }
  combine(
    present.map((entry) => {
      if (entry === null) return null
      const from = walked === 0 ? entry.value : entry.average
      return { gradient: entry.point, m: from, direction: entry.average, fromGradient: alpha, fromM: 1 - alpha }
    }),
  )
}
