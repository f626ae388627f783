import { checkFields } from '../../errors.js'
import { reduce } from '../../linalg/reduce.js'
import type { Schedule } from '../../schedule/schedule.js'
import { boolean, hyperparameter, numberIn, optionError } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import { type ParameterwiseState, parameterwise } from '../parameterwise.js'
import type { Rule } from '../rule.js'
import { firstMoment, secondMoment } from './diagonal.js'

/** Options of {@link lamb}. */
export interface LambOptions {
  /** Decay of the gradient's average, 0 <= beta1 < 1. Default 0.9. */
  readonly beta1?: Schedule
  /** Decay of the squared gradient's average, 0 <= beta2 < 1. Default 0.999. */
  readonly beta2?: Schedule
  /** Added to the root of the second moment, > 0. Default 1e-6. */
  readonly epsilon?: Schedule
  /** Weight decay lambda >= 0 that takes part in the ratio. Default 0. The weight decay of the group does not. */
  readonly weightDecay?: Schedule
  /** Whether the moments are corrected for their start at zero. Default true. */
  readonly biasCorrection?: boolean
  /** Least and largest norm that phi lets through, 0 <= least < largest. Default: all. */
  readonly clip?: readonly [least: number, largest: number]
}

/**
 * LAMB: Adam's direction, parameter by parameter brought to the norm of the parameter,
 *
 *     r = m' / (sqrt(v') + epsilon) + lambda w     D = phi(|w|) / |r| r, r where |w| or |r| is zero
 *     phi(z) = min(max(z, least), largest)
 *
 * with m' and v' as in `adam`. State: 2 fp32 numbers an element. Needs the values of the parameters.
 *
 * Source: You et al., arXiv 1904.00962, algorithm 2.
 */
export function lamb(options: LambOptions = {}): Rule<ParameterwiseState> {
  checkFields('lamb', options, ['beta1', 'beta2', 'epsilon', 'weightDecay', 'biasCorrection', 'clip'])
  const beta1 = hyperparameter('lamb', 'beta1', options.beta1 ?? 0.9, { min: 0, below: 1 })
  const beta2 = hyperparameter('lamb', 'beta2', options.beta2 ?? 0.999, { min: 0, below: 1 })
  const epsilon = hyperparameter('lamb', 'epsilon', options.epsilon ?? 1e-6, { above: 0 })
  const weightDecay = hyperparameter('lamb', 'weightDecay', options.weightDecay ?? 0, { min: 0 })
  const isCorrected = boolean('lamb', 'biasCorrection', options.biasCorrection ?? true)
  const [least, largest] = checkedClip(options.clip)
  return parameterwise<'first' | 'second' | 'direction', 'firstStart' | 'secondStart'>({
    name: 'lamb',
    arrays: { first: 'whole', second: 'whole' },
    scratch: { direction: 'whole' },
    // The products of all beta1 and of all beta2.
    numbers: { firstStart: 1, secondStart: 1 },
    flopsPerElement: 17,
    needsValues: true,
    step: (present, { device, step }) => {
      const adam = present.map(({ gradient, arrays, numbers }) => ({
        gradient,
        m: arrays.first,
        ...firstMoment(beta1(step), numbers),
        ...(isCorrected ? {} : { fromM: 1 }),
        v: arrays.second,
        ...secondMoment(beta2(step), numbers, isCorrected),
        epsilon: epsilon(step),
        direction: arrays.direction,
      }))
      updateAll(device, 'adam', adam)
      const decayed = present.map(({ value, arrays: { direction } }) => ({
        gradient: direction,
        m: value,
        fromGradient: 1,
        fromM: weightDecay(step),
        direction,
      }))
      updateAll(device, 'combine', decayed)
      const squares = reduce(
        device,
        'dot',
        present.flatMap(({ value, arrays }) => [{ x: value! }, { x: arrays.direction }]),
      )
      const scaled = present.map(({ arrays: { direction } }, index) => {
        const [norm, size] = [Math.sqrt(squares[2 * index]!), Math.sqrt(squares[2 * index + 1]!)]
        const ratio = norm > 0 && size > 0 ? Math.min(Math.max(norm, least), largest) / size : 1
        return { gradient: direction, direction, fromGradient: ratio }
      })
      updateAll(device, 'combine', scaled)
      return present.map(({ arrays }) => arrays.direction)
    },
  })
}

function checkedClip(clip: LambOptions['clip']): readonly [number, number] {
  if (clip === undefined) return [0, Number.POSITIVE_INFINITY]
  if (!Array.isArray(clip) || clip.length !== 2) {
    throw optionError('lamb', 'clip', clip, 'a pair of numbers [least, largest]')
  }
  const least = numberIn('lamb', 'clip[0]', clip[0], { min: 0 })
  return [least, numberIn('lamb', 'clip[1]', clip[1], { above: least })]
}
