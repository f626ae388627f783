// What a driver does to a parameter in a step, W <- W - u with u = lr D + shrinkage W. Wrappers that put a parameter elsewhere
// keep distances instead of places: the value W itself is needed for its decay alone, and a wrapper around them may move W.
import type { Device } from '../../device.js'
import type { ParameterArray } from '../../precondition/arrays.js'
import { updateAll } from '../elementwise.js'
import type { KeptParameter } from '../parameterwise.js'
import type { Gradients } from '../rule.js'
import type { WrapperStep } from './wrapper.js'

/** `to <- kept to + times u` for one parameter. */
export interface Target {
  readonly to: ParameterArray
  readonly kept: number
  readonly times: number
}

/** Adds the moves of `directions` to arrays, in one native call, or two where parameters decay. */
export function addMoves(
  { combine, context }: Pick<WrapperStep<never, never>, 'combine' | 'context'>,
  directions: Gradients,
  targets: readonly (Target | null)[],
): void {
  const { lr, shrinkage = 0, parameters } = context
  combine(
    targets.map((target, index) => {
      const gradient = directions[index]
      if (!target || !gradient) return null
      const { to, kept, times } = target
      return { gradient, m: to, direction: to, fromGradient: times * lr, fromM: kept }
    }),
  )
  if (shrinkage === 0 || parameters === undefined) return
  combine(
    targets.map((target, index) => {
      if (!target || !directions[index]) return null
      const { to, times } = target
      return { gradient: parameters[index]!, m: to, direction: to, fromGradient: times * shrinkage, fromM: 1 }
    }),
  )
}

/** The values plus `times` the distances that are kept, in the arrays for directions. */
export function shifted<Numbers extends string>(
  device: Device,
  values: readonly ParameterArray[],
  parameters: readonly KeptParameter<'distance' | 'direction', Numbers>[],
  times: number,
): readonly ParameterArray[] {
  const entries = parameters.map(({ arrays: { distance, direction } }, index) => {
    return { gradient: values[index]!, m: distance, direction, fromGradient: 1, fromM: times }
  })
  updateAll(device, 'combine', entries)
  return entries.map(({ direction }) => direction)
}
