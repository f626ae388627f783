import type { Rule, RuleContext } from '../rule.js'
import { addMoves, shifted } from './move.js'
import { type WrapperState, wrapper } from './wrapper.js'

/** What tells averaging wrappers apart. */
export interface Averaging<Numbers extends string> {
  readonly name: string
  readonly rule: Rule
  /** beta: part of the average in the point where gradients are taken. */
  readonly training: number
  readonly numbers?: Readonly<Record<Numbers, number>>
  /** c: part of the base iterate in the next average; may advance the numbers. */
  weight(numbers: Record<Numbers, number>, context: RuleContext): number
}

/**
 * Gradients at a point between a base iterate z, which the rule moves, and an average x of it:
 *
 *     y = (1 - beta) z + beta x       where gradients are taken: the parameters
 *     z <- z - u,  u = lr D + shrinkage y
 *     x <- (1 - c) x + c z            what is evaluated
 *
 * What is kept is d = z - x, 1 fp32 number an element, from which with y follow z = y + beta d and x = y - (1 - beta) d:
 *
 *     y <- y - u + beta (d - d_next) = y - (1 - beta (1 - c)) u + beta c d,   d_next = (1 - c) (d - u)
 *
 * A step with learning rate 0 leaves d and c as they are.
 */
export function interpolation<Numbers extends string = never>(averaging: Averaging<Numbers>): Rule<WrapperState> {
  const { name, rule, training, numbers, weight } = averaging
  return wrapper<'distance' | 'direction', Numbers>({
    name,
    rule,
    arrays: { distance: 'whole' },
    scratch: { direction: 'whole' },
    ...(numbers === undefined ? {} : { numbers }),
    flopsPerElement: 6,
    update: (step) => {
      const { lr, shrinkage = 0, parameters: values } = step.context
      const directions = step.inner(step.gradients)
      if (lr === 0) return directions
      const present = step.parameters.map((parameter, index) => {
        const gradient = directions[index]
        return gradient ? { gradient, ...parameter.arrays, c: weight(parameter.numbers, step.context) } : null
      })
      step.combine(
        present.map((entry) => {
          if (entry === null) return null
          const { gradient, distance, direction, c } = entry
          const weights = { fromGradient: 1 - training * (1 - c), fromM: (-training * c) / lr }
          return { gradient, m: distance, direction, ...weights }
        }),
      )
      if (shrinkage !== 0 && values !== undefined) {
        step.combine(
          present.map((entry, index) => {
            if (entry === null) return null
            // The driver takes the whole of shrinkage y off.
            const weights = { fromGradient: (-training * (1 - entry.c) * shrinkage) / lr, fromM: 1 }
            return { gradient: values[index]!, m: entry.direction, direction: entry.direction, ...weights }
          }),
        )
      }
      addMoves(
        step,
        directions,
        present.map((entry) => entry && { to: entry.distance, kept: 1 - entry.c, times: entry.c - 1 }),
      )
      return present.map((entry) => entry?.direction ?? null)
    },
    evaluation: (parameters, values, device) => shifted(device, values, parameters, training - 1),
  })
}
