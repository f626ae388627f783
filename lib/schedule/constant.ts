import { numberIn } from './validate.js'

/** The same value at every step: s(t) = value. */
export function constant(value: number): (step: number) => number {
  numberIn('constant', 'value', value, {})
  return () => value
}
