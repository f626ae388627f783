// How much the weights of a step enter their running average, A_t = A_{t-1} + w_t (W_t - A_{t-1}): functions of t = 1, 2, ... for
// `WeightAverage` of kronroot/optim. All begin with w_1 = 1; at w_t = 0 the average stays.
import { checkFields } from '../errors.js'
import type { Schedule } from './schedule.js'
import { hyperparameter, numberIn, oneOf } from './validate.js'

/** Options of {@link ema}. */
export interface EmaOptions {
  /** Decay d of the average, 0 <= d < 1. Default 0.999. */
  readonly decay?: Schedule
  /** How the average forgets its start; default `ratio`. */
  readonly warmup?: 'ratio' | 'corrected' | 'none'
}

/**
 * Exponential average: w_t = 1 - d_t,
 *
 *     ratio       d_t = min(d, (1 + t) / (10 + t))     short memory first (TensorFlow's num_updates)
 *     corrected   d_t = d (1 - d^(t-1)) / (1 - d^t)    the average divided by 1 - d^t, as Adam's moments; d a number
 *     none        d_t = d
 *
 * Source: Polyak and Juditsky, SIAM J. Control Optim. 30 (1992), for averages; Busbridge et al., How to Scale Your EMA,
 * arXiv 2307.13813, for the decay when the batch changes (`decayForBatch`).
 */
export function ema(options: EmaOptions = {}): (t: number) => number {
  checkFields('ema', options, ['decay', 'warmup'])
  const warmup = oneOf('ema', 'warmup', options.warmup ?? 'ratio', ['ratio', 'corrected', 'none'])
  if (warmup === 'corrected') {
    const decay = numberIn('ema', 'decay', options.decay ?? 0.999, { min: 0, below: 1 })
    return (t) => (1 - decay) / (1 - decay ** t)
  }
  const decay = hyperparameter('ema', 'decay', options.decay ?? 0.999, { min: 0, below: 1 })
  return (t) => {
    if (t <= 1) return 1
    return 1 - (warmup === 'ratio' ? Math.min(decay(t), (1 + t) / (10 + t)) : decay(t))
  }
}

/** Options of {@link swa}. */
export interface SwaOptions {
  /** First step that is averaged, an integer >= 1; before it the average is the weights themselves. Default 1. */
  readonly start?: number
  /** Steps between the averaged ones, an integer >= 1: the length of a learning-rate cycle. Default 1. */
  readonly every?: number
}

/**
 * Stochastic weight averaging, equal weights: w_t = 1 / (n + 1) at t = start + n every, 0 between.
 *
 * Source: Izmailov et al., Averaging Weights Leads to Wider Optima, arXiv 1803.05407, algorithm 1.
 */
export function swa(options: SwaOptions = {}): (t: number) => number {
  checkFields('swa', options, ['start', 'every'])
  const start = numberIn('swa', 'start', options.start ?? 1, { min: 1, integer: true })
  const every = numberIn('swa', 'every', options.every ?? 1, { min: 1, integer: true })
  return (t) => {
    if (t <= start) return 1
    return (t - start) % every === 0 ? 1 / ((t - start) / every + 1) : 0
  }
}

/** Options of {@link tailAverage}. */
export interface TailAverageOptions {
  /** Steps of the whole run, an integer >= 1. */
  readonly steps: number
  /** Part of the run that is averaged, 0 < part <= 1. Default 0.5. */
  readonly part?: number
}

/**
 * Equal average over the last part of a run whose length is known: `swa` from step steps - ceil(part steps) + 1 on.
 *
 * Source: Rakhlin, Shamir and Sridharan, arXiv 1109.5647 (suffix averaging); Jain et al., JMLR 18 (2018).
 */
export function tailAverage(options: TailAverageOptions): (t: number) => number {
  checkFields('tailAverage', options, ['steps', 'part'])
  const steps = numberIn('tailAverage', 'steps', options.steps, { min: 1, integer: true })
  const part = numberIn('tailAverage', 'part', options.part ?? 0.5, { above: 0, max: 1 })
  return swa({ start: steps - Math.ceil(part * steps) + 1 })
}

/** Options of {@link polynomialAverage}. */
export interface PolynomialAverageOptions {
  /** gamma >= 0: 0 averages equally, larger ones forget the start sooner. Default 8, DoG's. */
  readonly gamma?: number
}

/**
 * Polynomial averaging: w_t = (1 + gamma) / (t + gamma), so that step t weighs about t^gamma. Needs no horizon.
 *
 * Source: Shamir and Zhang, arXiv 1212.1824; Ivgi, Hinder and Carmon, DoG, arXiv 2302.12022.
 */
export function polynomialAverage(options: PolynomialAverageOptions = {}): (t: number) => number {
  checkFields('polynomialAverage', options, ['gamma'])
  const gamma = numberIn('polynomialAverage', 'gamma', options.gamma ?? 8, { min: 0 })
  return (t) => (1 + gamma) / (t + gamma)
}
