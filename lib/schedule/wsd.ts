import { checkFields } from '../errors.js'
import { decayOptions, type LinearDecayOptions } from './linear.js'
import { numberIn, oneOf, optionError } from './validate.js'

/** How a warm-up-stable-decay schedule falls; see {@link wsd}. */
export type WsdShape = 'linear' | 'cosine' | 'exponential' | 'one-minus-sqrt'

/** Options of {@link wsd}: peak, steps, warmup (default 0), floor (default 0), and the decay. */
export interface WsdOptions extends LinearDecayOptions {
  /** Steps of the decay, an integer from 1 to steps - warmup. Default: a tenth of the steps, rounded up. */
  readonly decay?: number
  /** Default `one-minus-sqrt`. */
  readonly shape?: WsdShape
  /** For `exponential`: steps in which what is above the floor halves, > 0. Default: an eighth of the decay. */
  readonly halfLife?: number
}

/**
 * Warm-up, stable, decay: linear warm-up of w = warmup steps, then the peak, and in the last d = decay steps
 *
 *     s(t) = floor + (peak - floor) f(u),   u = (t - (steps - d)) / d
 *
 *     linear           1 - u
 *     cosine           (1 + cos(pi u)) / 2
 *     exponential      0.5^(d u / halfLife)
 *     one-minus-sqrt   1 - sqrt(u)
 *
 * and the last value from there on. A run can go on from before the decay: no step of the plateau depends on the end.
 *
 * Source: Hu et al., MiniCPM, arXiv 2404.06395 (WSD, exponential); Haegele et al., Scaling Laws and
 * Compute-Optimal Training Beyond Fixed Training Durations, arXiv 2405.18392 (1 - sqrt).
 */
export function wsd(options: WsdOptions): (step: number) => number {
  const owner = 'wsd'
  checkFields(owner, options, ['peak', 'steps', 'warmup', 'floor', 'decay', 'shape', 'halfLife'])
  const { decay: givenDecay, shape: givenShape, halfLife: givenHalfLife, ...rest } = options
  const { peak, steps, warmup, floor } = decayOptions(owner, rest)
  const tenth = Math.min(Math.ceil(steps / 10), steps - warmup)
  const decay = numberIn(owner, 'decay', givenDecay ?? tenth, { min: 1, max: steps - warmup, integer: true })
  const shape = oneOf(owner, 'shape', givenShape ?? 'one-minus-sqrt', Object.keys(FALLS) as WsdShape[])
  if (shape !== 'exponential' && givenHalfLife !== undefined) {
    throw optionError(owner, 'halfLife', givenHalfLife, "left out, unless shape is 'exponential'")
  }
  const halfLife = numberIn(owner, 'halfLife', givenHalfLife ?? decay / 8, { above: 0 })
  return (step) => {
    if (step <= warmup) return peak * (step / warmup)
    const passed = Math.min(step, steps) - (steps - decay)
    return passed <= 0 ? peak : floor + (peak - floor) * FALLS[shape](passed / decay, decay / halfLife)
  }
}

/** f(u); `halvings` over the whole decay. */
const FALLS: Record<WsdShape, (u: number, halvings: number) => number> = {
  linear: (u) => 1 - u,
  cosine: (u) => 0.5 * (1 + Math.cos(Math.PI * u)),
  exponential: (u, halvings) => 0.5 ** (halvings * u),
  'one-minus-sqrt': (u) => 1 - Math.sqrt(u),
}
