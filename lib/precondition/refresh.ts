import { checkFields } from '../errors.js'
import type { Schedule } from '../schedule/schedule.js'
import { hyperparameter, numberIn } from '../schedule/validate.js'

/** When the roots are computed anew. */
export interface RefreshOptions {
  /** Period in steps, an integer >= 1. Default 1. */
  readonly every?: Schedule
  /** First step with roots; before it a rule grafts only. Default: the period, at least the first one. */
  readonly start?: number
}

/** Decisions of the refresh schedule. */
export interface RefreshTiming {
  readonly start: number
  /** Whether the roots are due at a step: the start step, and later every step that the period divides. */
  isDue(step: number): boolean
}

/** Checked timing of a rule. Source: Distributed Shampoo (arXiv 2309.06497), section 3.4. */
export function refreshTiming(owner: string, options: RefreshOptions = {}): RefreshTiming {
  checkFields(`${owner}: refresh`, options, ['every', 'start'])
  const every = hyperparameter(owner, 'refresh.every', options.every ?? 1, { min: 1, integer: true })
  const start = numberIn(owner, 'refresh.start', options.start ?? every(1), { min: 1, integer: true })
  return { start, isDue: (step) => step === start || (step > start && step % every(step) === 0) }
}
