import type { Schedule } from '../schedule/schedule.js'
import { hyperparameter, numberIn, oneOf, optionError } from '../schedule/validate.js'

/**
 * How weight decay wd enters, next to the learning rate lr and the direction D:
 *
 *     decoupled    W <- W - lr D - lr wd W              Loshchilov and Hutter, arXiv 1711.05101
 *     l2           G <- G + wd W before the rule        the gradient of (wd / 2) |W|^2
 *     corrected    W <- W - lr D - lr (lr / peak) wd W  Defazio, arXiv 2506.02285: keeps |W| steady as lr decays
 *     independent  W <- W - lr D - wd W                 decay does not change with the learning rate
 */
export type WeightDecayMode = 'decoupled' | 'l2' | 'corrected' | 'independent'

/** Options of the weight decay of a group. */
export interface WeightDecayOptions {
  /** Rate wd >= 0. Default 0. */
  readonly weightDecay?: Schedule
  /** Default `decoupled`. */
  readonly weightDecayMode?: WeightDecayMode
  /** Largest learning rate of the schedule, for mode `corrected`. Default: lr, where that is a number. */
  readonly peakLr?: number
}

/** Weight decay of one step. */
export interface WeightDecay {
  /** wd to add to the gradient, times W; 0 but for mode `l2`. */
  gradient(step: number): number
  /** What W is to be reduced by in this step, times W. */
  shrinkage(step: number, lr: number): number
  /** Whether W is looked at in any step. */
  readonly isUsed: boolean
}

const MODES: readonly WeightDecayMode[] = ['decoupled', 'l2', 'corrected', 'independent']

/** Checked weight decay of a group whose learning rate is `lr`. */
export function weightDecayOf(owner: string, options: WeightDecayOptions, lr: Schedule): WeightDecay {
  const rate = hyperparameter(owner, 'weightDecay', options.weightDecay ?? 0, { min: 0 })
  const mode = oneOf(owner, 'weightDecayMode', options.weightDecayMode ?? 'decoupled', MODES)
  if (mode !== 'corrected' && options.peakLr !== undefined) {
    throw optionError(owner, 'peakLr', options.peakLr, `nothing, unless weightDecayMode is 'corrected'`)
  }
  const peak = mode === 'corrected' ? peakOf(owner, options.peakLr, lr) : 1
  const factor: Record<WeightDecayMode, (lr: number) => number> = {
    decoupled: (now) => now,
    l2: () => 0,
    corrected: (now) => now * (now / peak),
    independent: () => 1,
  }
  return {
    gradient: (step) => (mode === 'l2' ? rate(step) : 0),
    shrinkage: (step, now) => factor[mode](now) * rate(step),
    isUsed: (options.weightDecay ?? 0) !== 0,
  }
}

function peakOf(owner: string, peakLr: number | undefined, lr: Schedule): number {
  const peak = peakLr ?? (typeof lr === 'number' ? lr : undefined)
  if (peak === undefined) {
    throw optionError(owner, 'peakLr', peakLr, `the largest value of lr, because weightDecayMode is 'corrected'`)
  }
  return numberIn(owner, 'peakLr', peak, { above: 0 })
}
