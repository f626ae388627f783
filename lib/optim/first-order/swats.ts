import { checkFields } from '../../errors.js'
import { reduce } from '../../linalg/reduce.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import { type ParameterwiseContext, type ParameterwiseState, type Present, parameterwise } from '../parameterwise.js'
import type { Rule } from '../rule.js'
import { adamDirections } from './diagonal.js'
import { changeShared } from './shared.js'

/** Options of {@link swats}. */
export interface SwatsOptions {
  /** Decay of the gradient's average, and of SGD's momentum, 0 <= beta1 < 1. Default 0.9. */
  readonly beta1?: Schedule
  /** Decay of the squared gradient's average, and of the estimated rate, 0 <= beta2 < 1. Default 0.999. */
  readonly beta2?: Schedule
  /** Added to the root of the second moment, > 0. Default 1e-8. */
  readonly epsilon?: Schedule
  /** How close the estimated learning rate must be to its average for the switch, > 0. Default 1e-9. */
  readonly tolerance?: number
}

type Arrays = 'first' | 'second' | 'direction'
type Shared = 'estimate' | 'estimateStart' | 'rate'
type Numbers = 'firstStart' | 'secondStart' | 'isSgd' | Shared | 'age'

/**
 * SWATS: Adam until the learning rate that SGD would need has settled, then SGD with it. With Adam's direction a of `adam`
 * (step p = -lr a), over all parameters of the group, which are coupled:
 *
 *     gamma = a.a / a.g                       the rate, over lr, of the SGD step whose projection on p is p
 *     Lambda <- beta2 Lambda + (1 - beta2) gamma,   Lambda' = Lambda / (1 - beta2^k)
 *     switch after step k > 1 where lr |Lambda' - gamma| < tolerance and Lambda' > 0
 *     from then on    v <- beta1 v + g,   D = (1 - beta1) Lambda' v,   v = 0 at the switch
 *
 * Rates are relative to the learning rate of the group, whose schedule goes on after the switch. State: 2 fp32 numbers an
 * element.
 *
 * Source: Keskar and Socher, arXiv 1712.07628, algorithm 1.
 */
export function swats(options: SwatsOptions = {}): Rule<ParameterwiseState> {
  checkFields('swats', options, ['beta1', 'beta2', 'epsilon', 'tolerance'])
  const beta1 = hyperparameter('swats', 'beta1', options.beta1 ?? 0.9, { min: 0, below: 1 })
  const beta2 = hyperparameter('swats', 'beta2', options.beta2 ?? 0.999, { min: 0, below: 1 })
  const epsilon = hyperparameter('swats', 'epsilon', options.epsilon ?? 1e-8, { above: 0 })
  const tolerance = numberIn('swats', 'tolerance', options.tolerance ?? 1e-9, { above: 0 })

  function adamStep(present: readonly Present<Arrays, Numbers>[], context: ParameterwiseContext<Arrays, Numbers>) {
    const { device, step, lr, group } = context
    adamDirections(present, device, { beta1: beta1(step), beta2: beta2(step), epsilon: epsilon(step) })
    const products = reduce(
      device,
      'dot',
      present.flatMap(({ gradient, arrays: { direction } }) => [{ x: direction }, { x: direction, y: gradient }]),
    )
    const sum = (offset: 0 | 1) => products.reduce((part, value, i) => (i % 2 === offset ? part + value : part), 0)
    changeShared(group, present, SHARED, (shared) => {
      if (sum(1) === 0) return
      const gamma = sum(0) / sum(1)
      const decay = beta2(step)
      shared.estimate = decay * shared.estimate + (1 - decay) * gamma
      shared.estimateStart *= decay
      const corrected = shared.estimate / (1 - shared.estimateStart)
      const hasSettled = shared.age > 0 && lr * Math.abs(corrected - gamma) < tolerance
      if (hasSettled && corrected > 0) shared.rate = corrected
    })
    return present.map(({ arrays }) => arrays.direction)
  }

  function sgdStep(
    present: readonly Present<Arrays, Numbers>[],
    { device, step, group }: ParameterwiseContext<Arrays, Numbers>,
  ) {
    const { rate } = changeShared(group, present, SHARED, () => {})
    const entries = present.map(({ gradient, arrays, numbers }) => {
      // What Adam left in the array ends with the first step.
      const decay = numbers.isSgd === 0 ? 0 : beta1(step)
      numbers.isSgd = 1
      return {
        gradient,
        m: arrays.first,
        mDecay: decay,
        mWeight: 1,
        fromM: (1 - beta1(step)) * rate,
        direction: arrays.direction,
      }
    })
    updateAll(device, 'momentum', entries)
    return present.map(({ arrays }) => arrays.direction)
  }

  return parameterwise<Arrays, Numbers>({
    name: 'swats',
    arrays: { first: 'whole', second: 'whole' },
    scratch: { direction: 'whole' },
    // The products of all beta1 and beta2; whether the parameter has made a step of SGD; the group's Lambda, the product of its
    // decays, and the rate of SGD, 0 before the switch.
    numbers: { firstStart: 1, secondStart: 1, isSgd: 0, estimate: 0, estimateStart: 1, rate: 0, age: 0 },
    flopsPerElement: 14,
    step: (present, context) => {
      const hasSwitched = context.group.some(({ numbers }) => numbers.rate > 0)
      return (hasSwitched ? sgdStep : adamStep)(present, context)
    },
  })
}

const SHARED = ['estimate', 'estimateStart', 'rate'] as const
