// Elementwise work of the optimizers: a step makes a fixed few native calls, each over the arrays of all parameters. Entries of
// parameters without a gradient are null and left out.
import type { Device } from '../device.js'
import { elementwiseUpdate, type UpdateArray, type UpdateKind } from '../linalg/elementwise-update.js'
import { reduce } from '../linalg/reduce.js'
import type { Gradients } from './rule.js'

/** One call of {@link elementwiseUpdate} over the entries that are not null. */
export function updateAll(device: Device, kind: UpdateKind, entries: readonly (UpdateArray | null)[]): void {
  const present = entries.filter((entry) => entry !== null)
  if (present.length > 0) elementwiseUpdate(device, kind, present)
}

/** The gradients with null in place of those that hold a NaN or an infinity. */
export function finiteOnly(device: Device, gradients: Gradients): Gradients {
  const present = gradients.filter((gradient) => gradient !== null)
  if (present.length === 0) return gradients
  // The sum of the squares of finite fp32 numbers is finite in fp64.
  const squares = reduce(
    device,
    'dot',
    present.map((x) => ({ x })),
  )
  let next = 0
  return gradients.map((gradient) => (gradient !== null && Number.isFinite(squares[next++]) ? gradient : null))
}
