import { checkFields } from '../../errors.js'
import { reduce } from '../../linalg/reduce.js'
import { lengthOf, type ParameterArray } from '../../precondition/arrays.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn, optionError } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import { type Arrays, answered } from '../oracle.js'
import type { Gradients, ParameterSpec, Rule } from '../rule.js'
import { checkedRule, type WrapperState, type WrapperStep, wrapper } from './wrapper.js'

/** Options of {@link vrgd}: one of the two callbacks. */
export interface VrgdOptions {
  /** Gradients of the workers whose mean is the gradient of this step, a list of arrays a worker, of two or more. */
  readonly workerGradients?: (parameters: readonly ParameterSpec[]) => readonly Arrays[]
  /** Elementwise variance of the workers' gradients of this step. */
  readonly variance?: (parameters: readonly ParameterSpec[]) => Arrays
  /** Smallest scale gamma, 0 <= gamma <= 1. Default 0.1; at 1 it is the rule alone. */
  readonly gamma?: Schedule
  /** Least variance that an element is taken to have, > 0. Default 1e-30; raise it where workers may agree exactly. */
  readonly epsilon?: number
}

type VrgdStep = WrapperStep<'scaled' | 'mean' | 'variance', never>

/**
 * Variance-reduced gradient descent: elements whose gradient is mostly noise get smaller,
 *
 *     r = g^2 / max(variance over the workers, epsilon)      the gradient's signal-to-noise ratio (GSNR)
 *     D = rule(g clip(r / mean r, gamma, 1))                 mean over the elements of the parameter
 *
 * A parameter whose gradient is zero keeps it. No state; an array an element in flight, with `workerGradients` three.
 *
 * Source: Jiang et al., Accelerating Large Batch Training via Gradient Signal to Noise Ratio, arXiv 2309.13681.
 */
export function vrgd(rule: Rule, options: VrgdOptions): Rule<WrapperState> {
  const owner = 'vrgd'
  checkFields(owner, options, ['workerGradients', 'variance', 'gamma', 'epsilon'])
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
  const epsilon = numberIn(owner, 'epsilon', options.epsilon ?? 1e-30, { above: 0 })
  return wrapper<'scaled' | 'mean' | 'variance'>({
    name: owner,
    rule: checkedRule(owner, rule),
    arrays: {},
    scratch: { scaled: 'whole', ...(workerGradients === undefined ? {} : { mean: 'whole', variance: 'whole' }) },
    flopsPerElement: 6,
    update: (step) => {
      const { gradients, parameters, context } = step
      const floor = gamma(context.step)
      if (floor === 1) return step.inner(gradients)
      const specs = parameters.map(({ spec }) => spec)
      const like = parameters.map(({ arrays }) => ({ length: lengthOf(arrays.scaled) }))
      const answers = workerGradients === undefined ? variance!(specs) : workerGradients(specs)
      const scaled = context.clock.time('apply', () => {
        const variances =
          workerGradients === undefined
            ? answered(owner, 'variance', answers, like)
            : varianceOf(step, checkedWorkers(owner, answers, like))
        return scaledBySignal(step, variances, floor, epsilon)
      })
      return step.inner(scaled)
    },
  })
}

function checkedWorkers(
  owner: string,
  answers: unknown,
  like: readonly { readonly length: number }[],
): readonly Arrays[] {
  if (!Array.isArray(answers) || answers.length < 2) {
    throw optionError(owner, 'workerGradients', answers, 'a function that returns the arrays of at least two workers')
  }
  return answers.map((arrays) => answered(owner, 'workerGradients', arrays, like))
}

/** Elementwise variance: the mean, then the mean of the squares of the distances from it. */
function varianceOf(step: VrgdStep, workers: readonly Arrays[]): readonly ParameterArray[] {
  const { device, parameters } = step
  const part = 1 / workers.length
  workers.forEach((arrays, worker) => {
    const entries = parameters.map(({ arrays: { mean } }, index) => {
      const old = worker === 0 ? {} : { m: mean, fromM: 1 }
      return { gradient: arrays[index]!, direction: mean, fromGradient: part, ...old }
    })
    updateAll(device, 'combine', entries)
  })
  workers.forEach((arrays, worker) => {
    const distances = parameters.map(({ arrays: { mean, scaled } }, index) => {
      return { gradient: arrays[index]!, m: mean, direction: scaled, fromGradient: 1, fromM: -1 }
    })
    updateAll(device, 'combine', distances)
    const squares = parameters.map(({ arrays: { variance, scaled } }) => {
      return { gradient: scaled, v: variance, vDecay: worker === 0 ? 0 : 1, vWeight: part, epsilon: 1 }
    })
    updateAll(device, 'adam', squares)
  })
  return parameters.map(({ arrays }) => arrays.variance)
}

/** g clip(r / mean r, floor, 1) for the parameters that have a gradient. */
function scaledBySignal(
  { device, gradients, parameters }: VrgdStep,
  variances: readonly ParameterArray[],
  floor: number,
  epsilon: number,
): Gradients {
  const present = parameters.flatMap(({ arrays: { scaled } }, index) => {
    const gradient = gradients[index]
    return gradient ? [{ index, gradient, scaled, variance: variances[index]! }] : []
  })
  if (present.length === 0) return gradients
  const quotients = present.map(({ gradient, scaled, variance }) => {
    return { gradient, v: variance, direction: scaled, fromGradient: 1, vScale: 1, epsilon }
  })
  updateAll(device, 'quotient', quotients)
  // g / variance times g is r.
  const sums = reduce(
    device,
    'dot',
    present.map(({ gradient, scaled }) => ({ x: scaled, y: gradient })),
  )
  const moving = present.map((entry, i) => (sums[i] === 0 ? null : { ...entry, sum: sums[i]! }))
  const scales = moving.map((entry) => {
    if (entry === null) return null
    const { gradient, scaled, sum } = entry
    const overMean = lengthOf(gradient) / sum
    return { gradient: scaled, m: gradient, direction: scaled, fromGradient: overMean, lower: floor, upper: 1 }
  })
  updateAll(device, 'product', scales)
  const products = moving.map((entry) => {
    return entry && { gradient: entry.scaled, m: entry.gradient, direction: entry.scaled, fromGradient: 1 }
  })
  updateAll(device, 'product', products)
  const result = [...gradients]
  for (const entry of moving) if (entry !== null) result[entry.index] = entry.scaled
  return result
}
