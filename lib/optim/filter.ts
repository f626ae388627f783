import type { Device } from '../device.js'
import { disposeArrays, type ParameterArray, zeros } from '../precondition/arrays.js'
import { elements } from '../precondition/plan.js'
import type { Schedule } from '../schedule/schedule.js'
import { hyperparameter } from '../schedule/validate.js'
import { updateAll } from './elementwise.js'
import type { Gradients, ParameterSpec } from './rule.js'
import { arraySlot, type Slot } from './slots.js'

interface FilteredParameter {
  readonly name: string
  readonly average: ParameterArray
  readonly output: ParameterArray
  /** Product of all beta1 so far: what is left of the zero start value. */
  readonly startWeight: Float64Array
}

/** State of a {@link GradientFilter}; without beta1 there are no parameters in it. */
export interface FilterState {
  readonly device: Device
  readonly parameters: readonly FilteredParameter[]
}

/** The average of the gradient that a preconditioner is applied to. */
export interface GradientFilter {
  init(parameters: readonly ParameterSpec[], device: Device): FilterState
  update(gradients: Gradients, state: FilterState, step: number): Gradients
  slots(state: FilterState): readonly Slot[]
  dispose(state: FilterState): void
}

/**
 * First moment, corrected for its start at zero, with a separate weight for the output:
 *
 *     M = (beta3 m + (1 - beta3) g) / (1 - beta3 prod beta1)      m and the product before this step
 *     m <- beta1 m + (1 - beta1) g
 *
 * beta3 = beta1 is the usual corrected average. Source: Distributed Shampoo's beta3. The constant beta1 = 0 hands the
 * gradient through and stores nothing.
 */
export function gradientFilter(owner: string, beta1: Schedule, beta3: Schedule, isCorrected: boolean): GradientFilter {
  const storeDecay = hyperparameter(owner, 'beta1', beta1, { min: 0, below: 1 })
  const outputDecay = hyperparameter(owner, 'beta3', beta3, { min: 0, below: 1 })
  if (beta1 === 0) {
    return {
      init: (_, device) => ({ device, parameters: [] }),
      update: (gradients) => gradients,
      slots: () => [],
      dispose: () => {},
    }
  }
  return {
    init: (parameters, device) => ({
      device,
      parameters: parameters.map(({ name, shape }) => ({
        name,
        average: zeros(device, elements(shape)),
        output: zeros(device, elements(shape)),
        startWeight: new Float64Array([1]),
      })),
    }),
    update: (gradients, { device, parameters }, step) => {
      const decay = storeDecay(step)
      const weight = outputDecay(step)
      const isUsual = weight === decay
      const entries = parameters.map(({ average, output, startWeight }, index) => {
        const gradient = gradients[index]
        if (!gradient) return null
        const correction = isCorrected ? 1 / (1 - weight * startWeight[0]!) : 1
        startWeight[0]! *= decay
        return {
          advance: { gradient, m: average, mDecay: decay, mWeight: 1 - decay, fromM: correction },
          output: { gradient, m: average, fromGradient: (1 - weight) * correction, fromM: weight * correction },
          into: { direction: output },
        }
      })
      // Another weight of the output looks at m before it is moved.
      if (!isUsual) {
        updateAll(
          device,
          'combine',
          entries.map((entry) => entry && { ...entry.output, ...entry.into }),
        )
      }
      updateAll(
        device,
        'momentum',
        entries.map((entry) => entry && { ...entry.advance, ...(isUsual ? entry.into : {}) }),
      )
      return parameters.map(({ output }, index) => (gradients[index] ? output : null))
    },
    slots: ({ parameters }) =>
      parameters.flatMap((parameter) => [
        arraySlot(`${parameter.name}/average`, parameter.average),
        arraySlot(`${parameter.name}/averageStartWeight`, parameter.startWeight),
      ]),
    dispose: ({ parameters }) => disposeArrays(parameters.flatMap(({ average, output }) => [average, output])),
  }
}
