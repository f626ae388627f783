import { decayOptions, type LinearDecayOptions } from './linear.js'

/** Options of {@link cosine}: peak, steps, warmup (default 0), floor (default 0). */
export type CosineOptions = LinearDecayOptions

/**
 * Linear warm-up of w = warmup steps, then half a cosine down to the floor:
 *
 *     s(t) = peak t / w                                                        t <= w
 *     s(t) = floor + (peak - floor) (1 + cos(pi min(1, (t - w) / (steps - w)))) / 2   t > w
 *
 * Source: Loshchilov and Hutter, SGDR, arXiv 1608.03983, equation 5, one period without restart.
 */
export function cosine(options: CosineOptions): (step: number) => number {
  const { peak, steps, warmup, floor } = decayOptions('cosine', options)
  return (step) => {
    if (step <= warmup) return peak * (step / warmup)
    if (step >= steps) return floor
    return floor + (peak - floor) * 0.5 * (1 + Math.cos((Math.PI * (step - warmup)) / (steps - warmup)))
  }
}
