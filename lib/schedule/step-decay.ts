import { checkFields } from '../errors.js'
import { numberIn, optionError } from './validate.js'

/** Options of {@link stepDecay}. */
export interface StepDecayOptions {
  /** Value before the first drop. */
  readonly peak: number
  /** Factor of each drop, > 0. Default 0.1. */
  readonly factor?: number
  /** Drops after every so many steps (an integer >= 1), or after the steps of an ascending list. */
  readonly after: number | readonly number[]
}

/**
 * Drops by a factor: s(t) = peak factor^k, with k the number of drops before step t,
 *
 *     after: n            k = floor((t - 1) / n)
 *     after: [a, b, ...]  k = how many of a, b, ... are below t
 */
export function stepDecay(options: StepDecayOptions): (step: number) => number {
  const owner = 'stepDecay'
  checkFields(owner, options, ['peak', 'factor', 'after'])
  const peak = numberIn(owner, 'peak', options.peak, {})
  const factor = numberIn(owner, 'factor', options.factor ?? 0.1, { above: 0 })
  const drops = dropsBefore(owner, options.after)
  return (step) => peak * factor ** drops(step)
}

function dropsBefore(owner: string, after: unknown): (step: number) => number {
  if (!Array.isArray(after)) {
    const every = numberIn(owner, 'after', after, { min: 1, integer: true })
    return (step) => Math.floor((step - 1) / every)
  }
  const steps = after.map((step, index) => numberIn(owner, `after[${index}]`, step, { min: 1, integer: true }))
  if (steps.some((step, index) => index > 0 && step <= steps[index - 1]!)) {
    throw optionError(owner, 'after', after, 'a number or a list of steps in ascending order')
  }
  return (step) => steps.filter((last) => last < step).length
}
