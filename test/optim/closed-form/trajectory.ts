// Values of parameters under an optimizer, step by step, against numbers worked out by hand.
import { open } from '../../../lib/device.js'
import { Optimizer, type Rule } from '../../../lib/optim/index.js'

/** Values of all parameters, one behind the other, after each step; and what is to be evaluated at the end. */
export function trajectory(
  rule: Rule,
  lr: number,
  start: readonly (readonly number[])[],
  gradients: readonly (readonly (readonly number[] | null)[])[],
): { readonly values: number[][]; readonly evaluation: number[] } {
  const device = open('cpu')
  const params = start.map((value, index) => ({
    name: `p${index}`,
    shape: [value.length],
    value: Float32Array.from(value),
  }))
  const optimizer = new Optimizer(device, [{ params, rule, lr }])
  try {
    const values = gradients.map((list) => {
      optimizer.step(list.map((gradient) => gradient && Float32Array.from(gradient)))
      return params.flatMap(({ value }) => Array.from(value))
    })
    return { values, evaluation: optimizer.evaluation().flatMap((value) => Array.from(value)) }
  } finally {
    optimizer.dispose()
    device.dispose()
  }
}
