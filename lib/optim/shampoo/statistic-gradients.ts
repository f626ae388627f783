import type { Device } from '../../device.js'
import { finiteOnly } from '../elementwise.js'
import type { Gradients } from '../rule.js'

/**
 * Lists of gradients that statistics are taken of: the examples that were handed in, or the gradient. A parameter without a
 * gradient in this step has none in any of them; nor has one that is not finite in one of them.
 */
export function statisticGradients(
  device: Device,
  usable: Gradients,
  examples: readonly Gradients[] | undefined,
): readonly Gradients[] {
  if (examples === undefined || examples.length === 0) return [usable]
  const finite = examples.map((list) => finiteOnly(device, list))
  const isWhole = usable.map((gradient, index) => gradient !== null && finite.every((list) => list[index] !== null))
  return finite.map((list) => list.map((gradient, index) => (isWhole[index] ? gradient : null)))
}
