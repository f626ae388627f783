import { checkFields } from '../errors.js'
import { numberIn } from './validate.js'

/** Options of {@link linearWarmup}. */
export interface LinearWarmupOptions {
  /** Value reached at step `steps` and held from there on. */
  readonly peak: number
  /** Steps of the ramp, an integer >= 1. */
  readonly steps: number
  /** Value the ramp starts from at the (virtual) step 0. Default 0. */
  readonly from?: number
}

/**
 * Linear ramp, then constant:
 *
 *     s(t) = from + (peak - from) min(1, t / steps),   t = 1, 2, ...
 *
 * The first step gets from + (peak - from) / steps, never `from` itself, so no step is wasted at a rate of 0.
 */
export function linearWarmup(options: LinearWarmupOptions): (step: number) => number {
  checkFields('linearWarmup', options, ['peak', 'steps', 'from'])
  const peak = numberIn('linearWarmup', 'peak', options.peak, {})
  const steps = numberIn('linearWarmup', 'steps', options.steps, { min: 1, integer: true })
  const from = numberIn('linearWarmup', 'from', options.from ?? 0, {})
  return (step) => (step >= steps ? peak : from + (peak - from) * (step / steps))
}

/** Options of {@link linearDecay}. */
export interface LinearDecayOptions {
  /** Value at the end of the warm-up, the largest of the schedule. */
  readonly peak: number
  /** Step at which `floor` is reached, an integer > warmup. */
  readonly steps: number
  /** Steps of linear warm-up from 0 to `peak`. Default 0. */
  readonly warmup?: number
  /** Value held from step `steps` on. Default 0. */
  readonly floor?: number
}

/**
 * Linear warm-up of w = warmup steps, then a straight line down to the floor:
 *
 *     s(t) = peak t / w                                          t <= w
 *     s(t) = peak + (floor - peak) min(1, (t - w) / (steps - w)) t > w
 */
export function linearDecay(options: LinearDecayOptions): (step: number) => number {
  const { peak, steps, warmup, floor } = decayOptions('linearDecay', options)
  return (step) => {
    if (step <= warmup) return peak * (step / warmup)
    return step >= steps ? floor : peak + (floor - peak) * ((step - warmup) / (steps - warmup))
  }
}

/** Checked options, with defaults, of the schedules that warm up, decay and stay at a floor. */
export function decayOptions(owner: string, options: LinearDecayOptions): Required<LinearDecayOptions> {
  checkFields(owner, options, ['peak', 'steps', 'warmup', 'floor'])
  const peak = numberIn(owner, 'peak', options.peak, {})
  const warmup = numberIn(owner, 'warmup', options.warmup ?? 0, { min: 0, integer: true })
  const steps = numberIn(owner, 'steps', options.steps, { above: warmup, integer: true })
  const floor = numberIn(owner, 'floor', options.floor ?? 0, {})
  return { peak, steps, warmup, floor }
}
