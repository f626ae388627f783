import { checkFields } from '../../errors.js'
import { reduce } from '../../linalg/reduce.js'
import { numberIn } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import { type ParameterwiseState, parameterwise } from '../parameterwise.js'
import type { Rule } from '../rule.js'
import { changeShared } from './shared.js'

/** Options of {@link adagradNorm}. */
export interface AdaGradNormOptions {
  /** b at the start, > 0. Default 1e-10: the first direction has norm 1. */
  readonly initial?: number
}

/**
 * AdaGrad-Norm, AdaGrad with one number for all parameters of the group together:
 *
 *     b^2 <- b^2 + sum over the parameters of |g|^2     D = g / b
 *
 * The parameters of a group are coupled. State: a number.
 *
 * Source: Ward, Wu and Bottou, arXiv 1806.01811, algorithm 1.
 */
export function adagradNorm(options: AdaGradNormOptions = {}): Rule<ParameterwiseState> {
  checkFields('adagradNorm', options, ['initial'])
  const initial = numberIn('adagradNorm', 'initial', options.initial ?? 1e-10, { above: 0 })
  return parameterwise<'direction', 'squares' | 'age'>({
    name: 'adagradNorm',
    arrays: {},
    scratch: { direction: 'whole' },
    // b^2, and how often it has changed.
    numbers: { squares: initial ** 2, age: 0 },
    flopsPerElement: 3,
    step: (present, { device, group }) => {
      const own = reduce(
        device,
        'dot',
        present.map(({ gradient }) => ({ x: gradient })),
      )
      const { squares } = changeShared(group, present, ['squares'], (shared) => {
        shared.squares += own.reduce((sum, square) => sum + square, 0)
      })
      const fromGradient = 1 / Math.sqrt(squares)
      updateAll(
        device,
        'combine',
        present.map(({ gradient, arrays: { direction } }) => ({ gradient, direction, fromGradient })),
      )
      return present.map(({ arrays }) => arrays.direction)
    },
  })
}
