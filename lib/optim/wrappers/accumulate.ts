import { checkFields } from '../../errors.js'
import { numberIn } from '../../schedule/validate.js'
import type { Rule } from '../rule.js'
import { checkedRule, type WrapperState, wrapper } from './wrapper.js'

/** Options of {@link accumulate}. */
export interface AccumulateOptions {
  /** Micro-batches in a step of the rule, an integer >= 1. */
  readonly every: number
}

/**
 * Gradient accumulation: `every` calls of `Optimizer.step` with micro-batches make one step of the rule, with the mean of
 * their gradients. The others return null, so that parameters neither move nor decay, and no statistic of the rule sees them.
 *
 * The rule is in the state of one that got the large batch at once: moments, Kronecker factors and their refreshes count
 * steps of `every` micro-batches (step n of the rule is call n `every`). A second moment or factor is that of the mean
 * gradient, signal + noise / (every b) for micro-batches of b examples, not the mean of those of the micro-batches, signal +
 * noise / b: what a rule built on gradients of batches expects. Where the numbers were tuned
 * for steps of b examples, keep the half-life of the statistics in samples with `decayForBatch`, and scale the learning rate
 * and epsilon with `squareRootScaling` (both of kronroot/schedule); relative ridges need nothing.
 *
 * Learning rates and other options of the group are schedules of the calls: lr: (call) => schedule(Math.ceil(call / every)).
 * A parameter without gradient in some of the micro-batches is averaged over the others; in the last, it waits for the next
 * step. State: 1 fp32 number an element.
 */
export function accumulate(rule: Rule, options: AccumulateOptions): Rule<WrapperState> {
  const owner = 'accumulate'
  checkFields(owner, options, ['every'])
  const every = numberIn(owner, 'every', options.every, { min: 1, integer: true })
  return wrapper<'sum' | 'mean', 'count'>({
    name: owner,
    rule: checkedRule(owner, rule),
    arrays: { sum: 'whole' },
    scratch: { mean: 'whole' },
    numbers: { count: 0 },
    flopsPerElement: 1,
    update: ({ gradients, parameters, context, combine, inner }) => {
      const isLast = context.step % every === 0
      // The last gradient goes with the sum straight into the mean.
      const entries = parameters.map(({ arrays: { sum, mean }, numbers }, index) => {
        const gradient = gradients[index]
        if (!gradient) return null
        const weight = isLast ? 1 / (numbers.count + 1) : 1
        const isFirst = numbers.count === 0
        numbers.count = isLast ? 0 : numbers.count + 1
        const old = isFirst ? {} : { m: sum, fromM: weight }
        return { gradient, direction: isLast ? mean : sum, fromGradient: weight, ...old }
      })
      combine(entries)
      if (!isLast) return gradients.map(() => null)
      return inner(
        entries.map((entry) => entry?.direction ?? null),
        { ...context, step: context.step / every },
      )
    },
  })
}
