// Checks of options, made when a rule, a schedule or an optimizer is constructed. Every message names the owner, the
// field, what is allowed and the value; checkFields of errors.ts refuses unknown options.
import { KronrootError, shown } from '../errors.js'
import { type Schedule, valueAt } from './schedule.js'

/** Interval of legal numbers: `min` and `max` belong to it, `above` and `below` do not. */
export interface Range {
  readonly min?: number
  readonly max?: number
  readonly above?: number
  readonly below?: number
  readonly integer?: boolean
}

function describeRange(range: Range): string {
  const kind = range.integer ? 'an integer' : 'a finite number'
  const bounds = [
    range.min !== undefined ? `>= ${range.min}` : '',
    range.above !== undefined ? `> ${range.above}` : '',
    range.max !== undefined ? `<= ${range.max}` : '',
    range.below !== undefined ? `< ${range.below}` : '',
  ].filter((bound) => bound !== '')
  return bounds.length === 0 ? kind : `${kind} ${bounds.join(' and ')}`
}

function inRange(value: unknown, range: Range): value is number {
  return (
    typeof value === 'number' &&
    Number.isFinite(value) &&
    (!range.integer || Number.isInteger(value)) &&
    (range.min === undefined || value >= range.min) &&
    (range.max === undefined || value <= range.max) &&
    (range.above === undefined || value > range.above) &&
    (range.below === undefined || value < range.below)
  )
}

/** The ERR_OPTION of a field: owner, field, what is allowed, the value. */
export function optionError(owner: string, field: string, value: unknown, allowed: string): KronrootError {
  return new KronrootError('ERR_OPTION', `${owner}: ${field} must be ${allowed}, got ${shown(value)}`)
}

/** `value` if it is a number of the range, else ERR_OPTION. */
export function numberIn(owner: string, field: string, value: unknown, range: Range): number {
  if (!inRange(value, range)) throw optionError(owner, field, value, describeRange(range))
  return value
}

/** `value` if it is one of `allowed`, else ERR_OPTION. */
export function oneOf<T extends string>(owner: string, field: string, value: unknown, allowed: readonly T[]): T {
  if (!allowed.includes(value as T)) throw optionError(owner, field, value, `one of ${allowed.map(shown).join(', ')}`)
  return value as T
}

/** `value` if it is a boolean, else ERR_OPTION. */
export function boolean(owner: string, field: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw optionError(owner, field, value, 'true or false')
  return value
}

/**
 * A hyper-parameter with its range. A number is checked here; the values of a function are checked at each step that
 * asks for them, because a function cannot be checked beforehand.
 *
 * @returns the value at a step (counted from 1); throws ERR_OPTION outside the range.
 */
export function hyperparameter(
  owner: string,
  field: string,
  schedule: Schedule,
  range: Range,
): (step: number) => number {
  if (typeof schedule !== 'function') {
    const value = numberIn(owner, field, schedule, range)
    return () => value
  }
  return (step) => {
    const value = valueAt(schedule, step)
    if (!inRange(value, range)) throw optionError(owner, `${field} at step ${step}`, value, describeRange(range))
    return value
  }
}
