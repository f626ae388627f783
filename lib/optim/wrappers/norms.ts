import type { Device } from '../../device.js'
import { reduce } from '../../linalg/reduce.js'
import type { Gradients, RuleContext } from '../rule.js'

/** Norms of arrays, in one native call; 0 for null. */
export function normsOf(device: Device, arrays: Gradients, { clock }: RuleContext): readonly number[] {
  const present = arrays.filter((array) => array !== null)
  if (present.length === 0) return arrays.map(() => 0)
  const dots = present.map((x) => ({ x }))
  const squares = clock.time('apply', () => reduce(device, 'dot', dots))
  let next = 0
  return arrays.map((array) => (array === null ? 0 : Math.sqrt(squares[next++]!)))
}
