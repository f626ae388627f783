import { checkFields } from '../errors.js'
import { decayOptions, type LinearDecayOptions } from './linear.js'
import { numberIn } from './validate.js'

/** Options of {@link polynomialDecay}: peak, steps, warmup (default 0), floor (default 0), and the power. */
export interface PolynomialDecayOptions extends LinearDecayOptions {
  /** Power p > 0: 1 is linear, larger ones fall earlier. Default 2. */
  readonly power?: number
}

/**
 * Linear warm-up of w = warmup steps, then a power of what is left of the run:
 *
 *     s(t) = peak t / w                                                     t <= w
 *     s(t) = floor + (peak - floor) (1 - min(1, (t - w) / (steps - w)))^p   t > w
 */
export function polynomialDecay(options: PolynomialDecayOptions): (step: number) => number {
  checkFields('polynomialDecay', options, ['peak', 'steps', 'warmup', 'floor', 'power'])
  const { power: given = 2, ...decay } = options
  const { peak, steps, warmup, floor } = decayOptions('polynomialDecay', decay)
  const power = numberIn('polynomialDecay', 'power', given, { above: 0 })
  return (step) => {
    if (step <= warmup) return peak * (step / warmup)
    if (step >= steps) return floor
    return floor + (peak - floor) * ((steps - step) / (steps - warmup)) ** power
  }
}
