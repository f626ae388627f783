import { checkFields } from '../errors.js'
import type { Schedule } from '../schedule/schedule.js'
import { boolean, hyperparameter, numberIn } from '../schedule/validate.js'

/** When statistics are taken and when roots (or eigenbases) are computed anew. */
export interface RefreshOptions {
  /** Period in steps of the roots or bases, an integer >= 1. Default 1. */
  readonly every?: Schedule
  /** First step with roots; before it a rule grafts only. Default: the period, at least the first one. */
  readonly start?: number
  /** Period in steps of the statistics, an integer >= 1. Default 1. */
  readonly statistics?: Schedule
  /** The first steps only collect statistics and move nothing. Default 0. */
  readonly burnIn?: number
  /**
   * Spread the blocks over the period, by cost, so that no step carries them all: each is refreshed once in `every` steps,
   * the first time in the `every` steps from `start` on. Default false: all together.
   */
  readonly staggered?: boolean
  /**
   * Keep what is still good: an eigenbasis Q of a statistic A with |offdiag(Q^T A Q)|_F <= tolerance |A|_F, a root X with a
   * balanced residual |X^{p/2} A X^{p/2} z - z| <= tolerance |z| for a random z. Between 0 and 1. Default 0: never.
   */
  readonly tolerance?: Schedule
  /**
   * Solve off the JavaScript thread, from a copy of the statistics: a result is taken when a step finds it ready, at the
   * latest `staleness` steps later, when that step waits by solving the same copy itself. Needs a loop that gives the event
   * loop a turn between steps. An integer >= 1. Default: solve within the step.
   */
  readonly staleness?: number
}

/** Checked {@link RefreshOptions}. */
export interface RefreshTiming {
  readonly start: number
  readonly burnIn: number
  readonly isStaggered: boolean
  /** Undefined: within the step. */
  readonly staleness: number | undefined
  every(step: number): number
  tolerance(step: number): number
  /** Whether a refresh of all blocks together is due at a step: the start step, then every step that the period divides. */
  isDue(step: number): boolean
  /** Whether statistics are taken at a step: the first one, and every step that their period divides. */
  takesStatistics(step: number): boolean
}

const FIELDS = ['every', 'start', 'statistics', 'burnIn', 'staggered', 'tolerance', 'staleness'] as const

/** Checked timing of a rule. Source: Distributed Shampoo (arXiv 2309.06497), section 3.4. */
export function refreshTiming(owner: string, options: RefreshOptions = {}): RefreshTiming {
  checkFields(`${owner}: refresh`, options, FIELDS)
  const every = hyperparameter(owner, 'refresh.every', options.every ?? 1, { min: 1, integer: true })
  const statistics = hyperparameter(owner, 'refresh.statistics', options.statistics ?? 1, { min: 1, integer: true })
  const start = numberIn(owner, 'refresh.start', options.start ?? every(1), { min: 1, integer: true })
  const { staleness } = options
  return {
    start,
    burnIn: numberIn(owner, 'refresh.burnIn', options.burnIn ?? 0, { min: 0, integer: true }),
    isStaggered: boolean(owner, 'refresh.staggered', options.staggered ?? false),
    staleness:
      staleness === undefined ? undefined : numberIn(owner, 'refresh.staleness', staleness, { min: 1, integer: true }),
    every,
    tolerance: hyperparameter(owner, 'refresh.tolerance', options.tolerance ?? 0, { min: 0, below: 1 }),
    isDue: (step) => step === start || (step > start && step % every(step) === 0),
    takesStatistics: (step) => step === 1 || step % statistics(step) === 0,
  }
}
