import { expect } from 'vitest'
import type { Parameter } from '../../lib/train/parameter.js'

/** The parameters in fp64, as a loss in plain loops takes them. */
export type ExactParameters = readonly { readonly value: Float64Array }[]

/** Every entry of the gradient is the central difference of the fp64 loss, within 2e-6. */
export function expectDifferences(
  parameters: readonly Parameter[],
  gradients: readonly Float32Array[],
  loss: (parameters: ExactParameters) => number,
): void {
  const exact = parameters.map(({ value }) => ({ value: Float64Array.from(value) }))
  const step = 1e-5
  parameters.forEach(({ name }, index) => {
    const { value } = exact[index]!
    value.forEach((kept, i) => {
      value[i] = kept + step
      const above = loss(exact)
      value[i] = kept - step
      const below = loss(exact)
      value[i] = kept
      const difference = (above - below) / (2 * step)
      expect(Math.abs(gradients[index]![i]! - difference), `${name}[${i}]`).toBeLessThan(2e-6)
    })
  })
}
