import { checkFields } from '../errors.js'
import type { Ridge } from '../linalg/ridge.js'
import type { Schedule } from '../schedule/schedule.js'
import { hyperparameter, optionError } from '../schedule/validate.js'

/**
 * What is added to a factor before its root, as `inverseRoot` takes it, with a value that may change over time:
 * relative to lambda_max, absolute, relative to trace / n, or the pseudo-inverse with that relative cut-off.
 */
export type RidgeOption =
  | { readonly relative: Schedule }
  | { readonly absolute: Schedule }
  | { readonly trace: Schedule }
  | { readonly pseudoInverse: Schedule }
  | 'none'

const MODES = ['relative', 'absolute', 'trace', 'pseudoInverse'] as const

/** The ridge at a step, checked. */
export function ridgeAt(owner: string, ridge: RidgeOption): (step: number) => Ridge {
  if (ridge === 'none') return () => 'none'
  const allowed = `'none' or an object with one of ${MODES.join(', ')}`
  if (ridge === null || typeof ridge !== 'object') throw optionError(owner, 'ridge', ridge, allowed)
  checkFields(`${owner}: ridge`, ridge, MODES)
  const [entry, ...others] = Object.entries(ridge) as [(typeof MODES)[number], Schedule][]
  if (entry === undefined || others.length > 0) throw optionError(owner, 'ridge', ridge, allowed)
  const [mode, schedule] = entry
  const value = hyperparameter(owner, `ridge.${mode}`, schedule, { min: 0 })
  return (step) => ({ [mode]: value(step) }) as Ridge
}
