import { checkFields } from '../errors.js'
import { numberIn } from './validate.js'

/** Options of {@link inverseSquareRoot}. */
export interface InverseSquareRootOptions {
  /** Value at the end of the warm-up. */
  readonly peak: number
  /** Steps w of the warm-up, an integer >= 1. */
  readonly warmup: number
}

/**
 * Linear warm-up of w = warmup steps, then as one over the root of the step: s(t) = peak min(t / w, sqrt(w / t)).
 *
 * Source: Vaswani et al., Attention Is All You Need, arXiv 1706.03762, equation 3, in units of its peak.
 */
export function inverseSquareRoot(options: InverseSquareRootOptions): (step: number) => number {
  checkFields('inverseSquareRoot', options, ['peak', 'warmup'])
  const peak = numberIn('inverseSquareRoot', 'peak', options.peak, {})
  const warmup = numberIn('inverseSquareRoot', 'warmup', options.warmup, { min: 1, integer: true })
  return (step) => peak * Math.min(step / warmup, Math.sqrt(warmup / step))
}
