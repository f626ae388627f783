import type { Device } from '../../device.js'
import { disposeArrays, type ParameterArray, zeros } from '../../precondition/arrays.js'
import { elements } from '../../precondition/plan.js'
import type { Schedule } from '../../schedule/schedule.js'
import { boolean, hyperparameter } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import type { Gradients, ParameterSpec } from '../rule.js'
import { arraySlot, type Slot } from '../slots.js'

export interface AverageOptions {
  /** Decay mu of the gradient's average, 0 <= mu < 1. */
  readonly momentum?: Schedule
  /** Take (1 - mu) g + mu M instead of M. */
  readonly nesterov?: boolean
}

export const AVERAGE_FIELDS = ['momentum', 'nesterov'] as const

/** Averages of the gradients of a group. */
export interface AverageState {
  readonly device: Device
  readonly parameters: readonly {
    readonly name: string
    readonly momentum: ParameterArray
    readonly direction: ParameterArray
  }[]
}

/**
 * What is orthogonalized in place of the gradient:
 *
 *     M <- mu M + (1 - mu) G
 *     B = (1 - mu) G + mu M with Nesterov, else M;  sign(B) where the rule asks for signs
 *
 * The average is the same method as the heavy ball M <- mu M + G, B = G + mu M: the two differ by the factor 1 - mu, which
 * orthogonalization removes. Each parameter has a `direction` besides, which holds B where M is not it, and which the rule
 * may overwrite with its answer.
 */
export interface GradientAverage {
  init(parameters: readonly ParameterSpec[], device: Device): AverageState
  /** B of every parameter with a gradient. */
  advance(gradients: Gradients, state: AverageState, step: number): Gradients
  slots(state: AverageState): readonly Slot[]
  dispose(state: AverageState): void
}

export function gradientAverage(
  owner: string,
  options: AverageOptions,
  usual: Required<AverageOptions>,
  signs = false,
): GradientAverage {
  const momentum = hyperparameter(owner, 'momentum', options.momentum ?? usual.momentum, { min: 0, below: 1 })
  const nesterov = boolean(owner, 'nesterov', options.nesterov ?? usual.nesterov)
  const hasDirection = nesterov || signs
  return {
    init: (parameters, device) => ({
      device,
      parameters: parameters.map(({ name, shape }) => {
        const size = elements(shape)
        return { name, momentum: zeros(device, size), direction: zeros(device, size) }
      }),
    }),
    advance: (gradients, { device, parameters }, step) => {
      const mu = momentum(step)
      const decays = { mDecay: mu, mWeight: 1 - mu }
      // `sign` looks at M before it moves: (1 - mu) g + mu (mu M + (1 - mu) g) with Nesterov.
      const ahead = nesterov
        ? { fromGradient: (1 - mu) * (1 + mu), fromM: mu * mu }
        : { fromGradient: 1 - mu, fromM: mu }
      const weights = signs ? ahead : { fromGradient: 1 - mu, fromM: mu }
      const entries = parameters.map(({ momentum: m, direction }, index) => {
        const gradient = gradients[index]
        return gradient ? { gradient, m, ...decays, ...weights, ...(hasDirection ? { direction } : {}) } : null
      })
      updateAll(device, signs ? 'sign' : 'momentum', entries)
      return entries.map((entry) => entry && (entry.direction ?? entry.m))
    },
    slots: ({ parameters }) => parameters.map(({ name, momentum: average }) => arraySlot(`${name}/momentum`, average)),
    dispose: ({ parameters }) =>
      disposeArrays(parameters.flatMap(({ momentum: average, direction }) => [average, direction])),
  }
}
