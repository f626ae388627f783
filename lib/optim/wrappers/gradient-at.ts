import { KronrootError } from '../../errors.js'
import type { ParameterArray } from '../../precondition/arrays.js'
import { answered, type GradientAt, valuesOf } from '../oracle.js'
import type { Gradients, RuleContext } from '../rule.js'
import type { WrapperStep } from './wrapper.js'

/** The values of the parameters, for wrappers that cannot do without. */
export function neededValues(owner: string, { parameters }: RuleContext): readonly ParameterArray[] {
  if (parameters !== undefined) return parameters
  throw new KronrootError('ERR_OPTION', `${owner}: the values of the parameters are needed`)
}

/**
 * Asks for the gradient at `values`, with the L2 term of the group, and puts it into the arrays `gradient` that the wrapper
 * keeps: null for parameters that have no gradient in this step. Arrays of the callback are copied: it may use them again.
 */
export function gradientElsewhere(
  owner: string,
  callback: GradientAt,
  { gradients, parameters, context, combine }: WrapperStep<'gradient', never>,
  values: readonly ParameterArray[],
): Gradients {
  const at = valuesOf(owner, values)
  const answer = answered(owner, 'gradientAt', callback(at), at)
  const { l2 = 0 } = context
  const entries = parameters.map(({ arrays }, index) => {
    if (!gradients[index]) return null
    const regularizer = l2 === 0 ? {} : { m: values[index]!, fromM: l2 }
    return { gradient: answer[index]!, direction: arrays.gradient, fromGradient: 1, ...regularizer }
  })
  combine(entries)
  return entries.map((entry) => entry?.direction ?? null)
}
