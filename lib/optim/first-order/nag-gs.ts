import { checkFields } from '../../errors.js'
import { numberIn } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import { type ParameterwiseState, parameterwise } from '../parameterwise.js'
import type { Rule } from '../rule.js'

/** Options of {@link nagGs}. */
export interface NagGsOptions {
  /** Convexity mu > 0 that gamma tends to. Default 1. */
  readonly mu?: number
  /** gamma at the start, > 0. Default 1.5. */
  readonly gamma?: number
}

/**
 * NAG-GS: Nesterov's accelerated flow, integrated by Gauss-Seidel splitting with the learning rate alpha as its time step,
 *
 *     v <- (gamma v + alpha mu w - alpha g) / (gamma + alpha mu)     v = w at the start
 *     w <- (w + alpha v) / (1 + alpha)                               that is, D = (w - v) / (1 + alpha)
 *     gamma <- (gamma + alpha mu) / (1 + alpha)
 *
 * The authors' learning rate is 0.05. State: 1 fp32 number an element. Needs the values of the parameters.
 *
 * Source: Leplat et al., arXiv 2209.14937, algorithm 1.
 */
export function nagGs(options: NagGsOptions = {}): Rule<ParameterwiseState> {
  checkFields('nagGs', options, ['mu', 'gamma'])
  const mu = numberIn('nagGs', 'mu', options.mu ?? 1, { above: 0 })
  const start = numberIn('nagGs', 'gamma', options.gamma ?? 1.5, { above: 0 })
  return parameterwise<'velocity' | 'direction', 'gamma' | 'started'>({
    name: 'nagGs',
    arrays: { velocity: 'whole' },
    scratch: { direction: 'whole' },
    // started is 1 once v is not w.
    numbers: { gamma: start, started: 0 },
    flopsPerElement: 9,
    needsValues: true,
    step: (present, { device, lr: alpha }) => {
      // v with the weight of w first, then with that of g: two sums of two terms.
      const mixed = present.map(({ value, arrays: { velocity }, numbers }) => {
        const share = (alpha * mu) / (numbers.gamma + alpha * mu)
        const decay = numbers.started === 0 ? 0 : 1 - share
        numbers.started = 1
        return { gradient: value!, m: velocity, mDecay: decay, mWeight: decay === 0 ? 1 : share }
      })
      updateAll(device, 'momentum', mixed)
      const moved = present.map(({ gradient, arrays: { velocity }, numbers }) => {
        const weight = -alpha / (numbers.gamma + alpha * mu)
        numbers.gamma = (numbers.gamma + alpha * mu) / (1 + alpha)
        return { gradient, m: velocity, mDecay: 1, mWeight: weight }
      })
      updateAll(device, 'momentum', moved)
      const directions = present.map(({ value, arrays: { velocity, direction } }) => ({
        gradient: value!,
        m: velocity,
        fromGradient: 1 / (1 + alpha),
        fromM: -1 / (1 + alpha),
        direction,
      }))
      updateAll(device, 'combine', directions)
      return present.map(({ arrays }) => arrays.direction)
    },
  })
}
