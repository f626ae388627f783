import { checkFields } from '../errors.js'
import { numberIn } from './validate.js'

/** Options of {@link constantWarmup}. */
export interface ConstantWarmupOptions {
  /** Value after the warm-up. */
  readonly peak: number
  /** Value of the first `steps` steps. */
  readonly from: number
  /** Steps of the warm-up, an integer >= 1. */
  readonly steps: number
}

/**
 * A smaller constant first: s(t) = from for t <= steps, then peak.
 *
 * Source: Goyal et al., Accurate, Large Minibatch SGD, arXiv 1706.02677, section 2.2 (constant warm-up).
 */
export function constantWarmup(options: ConstantWarmupOptions): (step: number) => number {
  checkFields('constantWarmup', options, ['peak', 'from', 'steps'])
  const peak = numberIn('constantWarmup', 'peak', options.peak, {})
  const from = numberIn('constantWarmup', 'from', options.from, {})
  const steps = numberIn('constantWarmup', 'steps', options.steps, { min: 1, integer: true })
  return (step) => (step <= steps ? from : peak)
}

/** Options of {@link exponentialWarmup}. */
export interface ExponentialWarmupOptions {
  /** Value that is approached. */
  readonly peak: number
  /** Time constant tau in steps, > 0. For Adam without tuning: 1 / (1 - beta2). */
  readonly timescale: number
}

/**
 * Approaches the peak exponentially: s(t) = peak (1 - exp(-t / tau)).
 *
 * Source: Ma and Yarats, On the adequacy of untuned warmup for adaptive optimization, arXiv 1910.04209 (the
 * linear warm-up as good as this one takes 2 / (1 - beta2) steps).
 */
export function exponentialWarmup(options: ExponentialWarmupOptions): (step: number) => number {
  checkFields('exponentialWarmup', options, ['peak', 'timescale'])
  const peak = numberIn('exponentialWarmup', 'peak', options.peak, {})
  const timescale = numberIn('exponentialWarmup', 'timescale', options.timescale, { above: 0 })
  return (step) => -peak * Math.expm1(-step / timescale)
}
