import { checkFields } from '../../errors.js'
import { reduce } from '../../linalg/reduce.js'
import { copyAll } from '../../precondition/arrays.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import { type ParameterwiseContext, type ParameterwiseState, type Present, parameterwise } from '../parameterwise.js'
import type { Rule } from '../rule.js'
import { extrapolationWeights } from './extrapolation.js'

/** Options of {@link optAmsgrad}. */
export interface OptAmsGradOptions {
  /** Decay of the gradient's average, 0 <= beta1 < 1. Default 0.9. */
  readonly beta1?: Schedule
  /** Decay of the second moment, 0 <= beta2 < 1. Default 0.99. */
  readonly beta2?: Schedule
  /** Added to the root of the second moment, > 0. Default 1e-8. */
  readonly epsilon?: Schedule
  /** Gradients that the next one is predicted from, an integer from 2 to 16. Default 5. */
  readonly history?: number
  /** lambda of the least squares, relative to the mean square of the gradients' differences, > 0. Default 1e-3. */
  readonly regularization?: number
}

/**
 * Optimistic AMSGrad: AMSGrad, and on top of it a step by the gradient that is expected next, which the next step takes back:
 *
 *     theta <- beta1 theta + (1 - beta1) g     v <- beta2 v + (1 - beta2) (g - p)^2     u <- max(u, v)
 *     base <- base - lr theta / (sqrt(u) + epsilon)
 *     w = base - lr h / (sqrt(u) + epsilon)     h = beta1 theta_old + (1 - beta1) p_next
 *
 * p is the prediction that was made of g, 0 at first; p_next extrapolates the last `history` gradients of the parameter by
 * regularised least squares (minimal polynomial extrapolation), or repeats the only one. After a step whose learning rate is 0
 * the base is where the parameter stands.
 *
 * Predictions are made parameter by parameter, so a group may hold any number of them; the paper's are those of the whole network,
 * and its beta2 and history are the defaults. State: history + 5 fp32 numbers an element.
 *
 * Source: Wang, Li, Karimi and Li, arXiv 1903.01435, algorithms 1 and 2.
 */
export function optAmsgrad(options: OptAmsGradOptions = {}): Rule<ParameterwiseState> {
  checkFields('optAmsgrad', options, ['beta1', 'beta2', 'epsilon', 'history', 'regularization'])
  const beta1 = hyperparameter('optAmsgrad', 'beta1', options.beta1 ?? 0.9, { min: 0, below: 1 })
  const beta2 = hyperparameter('optAmsgrad', 'beta2', options.beta2 ?? 0.99, { min: 0, below: 1 })
  const epsilon = hyperparameter('optAmsgrad', 'epsilon', options.epsilon ?? 1e-8, { above: 0 })
  const history = numberIn('optAmsgrad', 'history', options.history ?? 5, { min: 2, max: 16, integer: true })
  const regularization = numberIn('optAmsgrad', 'regularization', options.regularization ?? 1e-3, { above: 0 })
  const places = Array.from({ length: history }, (_, place) => place)
  return parameterwise<string, string>({
    name: 'optAmsgrad',
    arrays: {
      average: 'whole',
      second: 'whole',
      largest: 'whole',
      prediction: 'whole',
      ahead: 'whole',
      ...Object.fromEntries(places.map((place) => [past(place), 'whole'])),
    },
    scratch: { mixture: 'whole', direction: 'whole' },
    // Steps, the learning rate that `ahead` was added with, and the inner products of the past gradients.
    numbers: {
      count: 0,
      lr: 0,
      ...Object.fromEntries(places.flatMap((i) => places.slice(0, i + 1).map((j) => [product(i, j), 0]))),
    },
    flopsPerElement: 36 + 4 * history,
    step: (present, context) => {
      measureSurprise(present, context, beta2(context.step))
      remember(present, context, places)
      predict(present, context, places, regularization)
      return advance(present, context, beta1(context.step), epsilon(context.step))
    },
  })
}

const past = (place: number) => `past${place}`
/** Of the gradients at two places, in either order. */
const product = (i: number, j: number) => `product${Math.max(i, j)},${Math.min(i, j)}`

/** Second moment of what the prediction missed, and its largest value. */
function measureSurprise(present: readonly Present[], { device }: ParameterwiseContext, beta2: number): void {
  const missed = present.map(({ gradient, arrays: { prediction, mixture } }) => ({
    gradient,
    m: prediction,
    fromGradient: 1,
    fromM: -1,
    direction: mixture,
  }))
  updateAll(device, 'combine', missed)
  const moments = present.map(({ arrays: { mixture, second, largest } }) => ({
    gradient: mixture!,
    v: second,
    vMax: largest,
    vDecay: beta2,
    vWeight: 1 - beta2,
  }))
  updateAll(device, 'adam', moments)
}

/** The gradient takes the place of the oldest one. */
function remember(present: readonly Present[], { device }: ParameterwiseContext, places: readonly number[]): void {
  const placeOf = ({ numbers }: Present) => numbers.count! % places.length
  copyAll(
    device,
    present.map((one) => ({ from: one.gradient, to: one.arrays[past(placeOf(one))]! })),
  )
  const products = reduce(
    device,
    'dot',
    present.flatMap(({ gradient, arrays }) => places.map((place) => ({ x: arrays[past(place)]!, y: gradient }))),
  )
  present.forEach((one, index) => {
    for (const place of places) {
      one.numbers[product(placeOf(one), place)] = products[index * places.length + place]!
    }
    one.numbers.count!++
  })
}

/** The next gradient, from those that are remembered. */
function predict(
  present: readonly Present[],
  { device }: ParameterwiseContext,
  places: readonly number[],
  regularization: number,
): void {
  const weights = present.map(({ numbers }) => predictionWeights(numbers, places.length, regularization))
  for (const place of places) {
    const terms = present.map(({ arrays }, index) => ({
      gradient: arrays[past(place)]!,
      m: arrays.prediction,
      mDecay: place === 0 ? 0 : 1,
      mWeight: weights[index]![place]!,
    }))
    updateAll(device, 'momentum', terms)
  }
}

/** Weights of the gradients by their places, 0 where there is none yet. */
function predictionWeights(numbers: Record<string, number>, history: number, regularization: number): number[] {
  const count = numbers.count!
  const known = Math.min(count, history)
  // From the oldest to the newest.
  const placeOf = (i: number) => (count - known + i) % history
  const weights = new Array<number>(history).fill(0)
  if (known === 1) weights[placeOf(0)] = 1
  else {
    const dot = (i: number, j: number) => numbers[product(placeOf(i), placeOf(j))]!
    extrapolationWeights(known - 1, dot, regularization).forEach((weight, i) => {
      weights[placeOf(i)] = weight
    })
  }
  return weights
}

/** Steps of the base and of what runs ahead of it; the directions. */
function advance(present: readonly Present[], { device, lr }: ParameterwiseContext, beta1: number, epsilon: number) {
  const taken = present.map(({ arrays: { ahead, direction }, numbers }) => {
    const back = lr > 0 ? -numbers.lr! / lr : 0
    numbers.lr = lr
    return { gradient: ahead!, fromGradient: back, direction }
  })
  updateAll(device, 'combine', taken)
  const expected = present.map(({ arrays: { prediction, average, mixture } }) => ({
    gradient: prediction!,
    m: average,
    fromGradient: 1 - beta1,
    fromM: beta1,
    direction: mixture,
  }))
  updateAll(device, 'combine', expected)
  // The second moment stands; it is only divided by.
  const divided = { vDecay: 1, vScale: 1, epsilon }
  const forward = present.map(({ arrays: { mixture, second, largest, ahead } }) => ({
    gradient: mixture!,
    fromGradient: 1,
    v: second,
    vMax: largest,
    ...divided,
    direction: ahead,
  }))
  updateAll(device, 'adam', forward)
  const base = present.map(({ gradient, arrays: { average, second, largest, mixture } }) => ({
    gradient,
    m: average,
    mDecay: beta1,
    mWeight: 1 - beta1,
    fromM: 1,
    v: second,
    vMax: largest,
    ...divided,
    direction: mixture,
  }))
  updateAll(device, 'adam', base)
  for (const name of ['ahead', 'mixture'] as const) {
    const sums = present.map(({ arrays }) => ({
      gradient: arrays[name]!,
      m: arrays.direction,
      fromGradient: 1,
      fromM: 1,
      direction: arrays.direction,
    }))
    updateAll(device, 'combine', sums)
  }
  return present.map(({ arrays }) => arrays.direction!)
}
