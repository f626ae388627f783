import { type Schedule, valueAt } from './schedule.js'
import { numberIn, optionError } from './validate.js'

/** One stretch of a {@link sequence}: `schedule` for `steps` steps, counted from 1 inside the stretch. */
export interface Stretch {
  readonly schedule: Schedule
  /** Length in steps, an integer >= 1. The last stretch may leave it out and then never ends. */
  readonly steps?: number
}

/**
 * Schedules one after another, each with its own count of steps:
 *
 *     s(t) = s_k(t - (n_1 + ... + n_{k-1}))   for the k with n_1 + ... + n_{k-1} < t <= n_1 + ... + n_k
 *
 * After the end the last schedule goes on.
 */
export function sequence(...stretches: readonly Stretch[]): (step: number) => number {
  if (stretches.length === 0) throw optionError('sequence', 'stretches', stretches, 'at least one { schedule, steps }')
  const ends: number[] = []
  stretches.forEach((stretch, index) => {
    checkSchedule('sequence', `stretches[${index}].schedule`, stretch.schedule)
    const isOpenEnd = index === stretches.length - 1 && stretch.steps === undefined
    const length = isOpenEnd
      ? Number.POSITIVE_INFINITY
      : numberIn('sequence', `stretches[${index}].steps`, stretch.steps, { min: 1, integer: true })
    ends.push((ends[index - 1] ?? 0) + length)
  })
  return (step) => {
    const found = ends.findIndex((end) => step <= end)
    const index = found < 0 ? stretches.length - 1 : found
    return valueAt(stretches[index]!.schedule, step - (ends[index - 1] ?? 0))
  }
}

/** Product of schedules, step by step: s(t) = s_1(t) s_2(t) ... For example a warm-up to 1 times a decay. */
export function product(...schedules: readonly Schedule[]): (step: number) => number {
  if (schedules.length === 0) throw optionError('product', 'schedules', schedules, 'at least one schedule')
  schedules.forEach((schedule, index) => {
    checkSchedule('product', `schedules[${index}]`, schedule)
  })
  return (step) => schedules.reduce<number>((value, schedule) => value * valueAt(schedule, step), 1)
}

function checkSchedule(owner: string, field: string, schedule: unknown): void {
  if (typeof schedule === 'function' || (typeof schedule === 'number' && Number.isFinite(schedule))) return
  throw optionError(owner, field, schedule, 'a finite number or a function of the step')
}
