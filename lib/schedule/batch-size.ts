import { checkFields } from '../errors.js'
import type { NoiseEstimate } from './noise-scale.js'
import { numberIn, oneOf } from './validate.js'

/** Options of {@link batchSizeController}. */
export interface BatchSizeOptions {
  /**
   * `noise-scale` (default) follows the gradient noise scale up and down; `norm-test` only grows, where the noise of the
   * batch's gradient is above `tolerance` of its signal.
   */
  readonly by?: 'noise-scale' | 'norm-test'
  /**
   * `noise-scale`: the batch as a multiple of the scale, > 0. `norm-test`: eta > 0, the noise that is borne as a part of the
   * norm of the gradient. Default 1.
   */
  readonly tolerance?: number
  /** Smallest batch, an integer >= 1. Default 1. */
  readonly min?: number
  /** Largest batch, an integer >= min. */
  readonly max: number
  /** Batches are multiples of it, rounded up: micro-batch times workers. An integer >= 1. Default 1. */
  readonly multiple?: number
  /** Largest factor between two batches, either way, > 1. Default 2. */
  readonly growth?: number
}

/**
 * The next batch size from the present one and what is known of signal |G|^2 and noise tr(Sigma) of the gradient:
 *
 *     noise-scale   B = tolerance tr(Sigma) / |G|^2
 *     norm-test     B = tr(Sigma) / (tolerance^2 |G|^2) where tr(Sigma) / B_now > tolerance^2 |G|^2, else B_now
 *
 * within `growth` of the present one, then within min and max, in multiples. Where no signal is left the batch grows.
 *
 * Source: McCandlish et al., arXiv 1812.06162, section 2.2; norm test: Byrd et al., Math. Programming 134 (2012), and for
 * adaptive rules Lau et al., AdAdaGrad, arXiv 2402.11215.
 */
export function batchSizeController(options: BatchSizeOptions): (batch: number, estimate: NoiseEstimate) => number {
  const owner = 'batchSizeController'
  checkFields(owner, options, ['by', 'tolerance', 'min', 'max', 'multiple', 'growth'])
  const by = oneOf(owner, 'by', options.by ?? 'noise-scale', ['noise-scale', 'norm-test'])
  const tolerance = numberIn(owner, 'tolerance', options.tolerance ?? 1, { above: 0 })
  const min = numberIn(owner, 'min', options.min ?? 1, { min: 1, integer: true })
  const max = numberIn(owner, 'max', options.max, { min, integer: true })
  const multiple = numberIn(owner, 'multiple', options.multiple ?? 1, { min: 1, max, integer: true })
  const growth = numberIn(owner, 'growth', options.growth ?? 2, { above: 1 })
  const wanted = (batch: number, { signal, noise }: NoiseEstimate) => {
    if (noise <= 0) return by === 'norm-test' ? batch : 0
    if (signal <= 0) return Number.POSITIVE_INFINITY
    const scale = noise / signal
    return by === 'noise-scale' ? tolerance * scale : Math.max(batch, scale / tolerance ** 2)
  }
  return (batch, estimate) => {
    const now = numberIn(owner, 'batch', batch, { min: 1, integer: true })
    const near = Math.min(Math.max(wanted(now, estimate), now / growth), now * growth)
    const allowed = Math.min(Math.max(near, min), max)
    return Math.min(Math.ceil(allowed / multiple) * multiple, Math.floor(max / multiple) * multiple)
  }
}
