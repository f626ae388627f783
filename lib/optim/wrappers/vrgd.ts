import { checkFields } from '../../errors.js'
import { onHost } from '../../precondition/arrays.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, optionError } from '../../schedule/validate.js'
import { type Arrays, answered } from '../oracle.js'
import type { ParameterSpec, Rule } from '../rule.js'
import { placed } from './gradient-at.js'
import { checkedRule, type WrapperState, wrapper } from './wrapper.js'

/** Options of {@link vrgd}: one of the two callbacks. */
export interface VrgdOptions {
  /** Gradients of the workers whose mean is the gradient of this step, a list of arrays a worker, of two or more. */
  readonly workerGradients?: (parameters: readonly ParameterSpec[]) => readonly Arrays[]
  /** Elementwise variance of the workers' gradients of this step. */
  readonly variance?: (parameters: readonly ParameterSpec[]) => Arrays
  /** Smallest scale gamma, 0 <= gamma <= 1. Default 0.1; at 1 it is the rule alone. */
  readonly gamma?: Schedule
}

/**
 * Variance-reduced gradient descent: elements whose gradient is mostly noise get smaller,
 *
 *     r = g^2 / variance over the workers       the gradient's signal-to-noise ratio (GSNR)
 *     D = rule(g clip(r / mean r, gamma, 1))    mean over the elements of the parameter
 *
 * Elements without any variance count as all signal: scale 1, and not in the mean. No state. The scales are computed in
 * JavaScript, where the callback's numbers are.
 *
 * Source: Jiang et al., Accelerating Large Batch Training via Gradient Signal to Noise Ratio, arXiv 2309.13681.
 */
export function vrgd(rule: Rule, options: VrgdOptions): Rule<WrapperState> {
  const owner = 'vrgd'
  checkFields(owner, options, ['workerGradients', 'variance', 'gamma'])
  const { workerGradients, variance } = options
  if ((workerGradients === undefined) === (variance === undefined)) {
    throw optionError(owner, 'variance', variance, 'a function, or left out where workerGradients is one')
  }
  for (const [field, callback] of Object.entries({ workerGradients, variance })) {
    if (callback !== undefined && typeof callback !== 'function') {
      throw optionError(owner, field, callback, 'a function from parameters to arrays')
    }
  }
  const gamma = hyperparameter(owner, 'gamma', options.gamma ?? 0.1, { min: 0, max: 1 })
  return wrapper<'scaled'>({
    name: owner,
    rule: checkedRule(owner, rule),
    arrays: {},
    scratch: { scaled: 'whole' },
    flopsPerElement: 6,
    update: ({ gradients, parameters, context, inner }) => {
      const floor = gamma(context.step)
      if (floor === 1) return inner(gradients)
      const specs = parameters.map(({ spec }) => spec)
      const like = parameters.map(({ arrays }) => onHost(arrays.scaled))
      const variances =
        variance === undefined
          ? varianceOf(owner, workerGradients!(specs), like)
          : answered(owner, 'variance', variance(specs), like)
      return inner(
        gradients.map((gradient, index) => {
          if (gradient === null) return null
          const { scaled } = parameters[index]!.arrays
          return placed(scaled, scaledBySignal(onHost(gradient), variances[index]!, floor))
        }),
      )
    },
  })
}

/** Elementwise variance, mean of the squared distances from the mean. */
function varianceOf(owner: string, answers: unknown, like: Arrays): Arrays {
  if (!Array.isArray(answers) || answers.length < 2) {
    throw optionError(owner, 'workerGradients', answers, 'a function that returns the arrays of at least two workers')
  }
  const workers = answers.map((arrays) => answered(owner, 'workerGradients', arrays, like))
  return like.map((array, index) =>
    array.map((_, i) => {
      const mean = workers.reduce((sum, arrays) => sum + arrays[index]![i]!, 0) / workers.length
      return workers.reduce((sum, arrays) => sum + (arrays[index]![i]! - mean) ** 2, 0) / workers.length
    }),
  )
}

function scaledBySignal(gradient: Float32Array, variance: Float32Array, floor: number): Float32Array {
  const ratio = (i: number) => gradient[i]! ** 2 / variance[i]!
  let sum = 0
  let noisy = 0
  for (let i = 0; i < gradient.length; i++) {
    if (variance[i]! <= 0) continue
    sum += ratio(i)
    noisy++
  }
  if (sum === 0) return gradient
  const mean = sum / noisy
  return gradient.map((g, i) => (variance[i]! <= 0 ? g : g * Math.min(1, Math.max(floor, ratio(i) / mean))))
}
