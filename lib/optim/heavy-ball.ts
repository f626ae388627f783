import type { Device } from '../device.js'
import { disposeArrays, type ParameterArray, zeros } from '../precondition/arrays.js'
import { elements } from '../precondition/plan.js'
import type { Schedule } from '../schedule/schedule.js'
import { boolean, hyperparameter, optionError } from '../schedule/validate.js'
import { updateAll } from './elementwise.js'
import type { Gradients, ParameterSpec } from './rule.js'
import { arraySlot, type Slot } from './slots.js'

interface BallParameter {
  readonly name: string
  readonly buffer: ParameterArray
  readonly output: ParameterArray | undefined
}

/** State of a {@link HeavyBall}. */
export interface HeavyBallState {
  readonly device: Device
  readonly parameters: readonly BallParameter[]
}

/** Momentum over directions, after preconditioning. */
export interface HeavyBall {
  init(parameters: readonly ParameterSpec[], device: Device): HeavyBallState
  update(directions: Gradients, state: HeavyBallState, step: number): Gradients
  slots(state: HeavyBallState): readonly Slot[]
  dispose(state: HeavyBallState): void
}

/**
 * Heavy ball over directions: b <- mu b + D, returned as b, or as D + mu b with Nesterov. Undefined for the constant
 * mu = 0, which needs no buffer.
 */
export function heavyBall(owner: string, momentum: Schedule, nesterov: boolean): HeavyBall | undefined {
  const mu = hyperparameter(owner, 'momentum', momentum, { min: 0, below: 1 })
  boolean(owner, 'nesterov', nesterov)
  if (momentum === 0) {
    if (nesterov) throw optionError(owner, 'nesterov', nesterov, 'false, or true with momentum > 0')
    return undefined
  }
  return {
    init: (parameters, device) => ({
      device,
      parameters: parameters.map(({ name, shape }) => ({
        name,
        buffer: zeros(device, elements(shape)),
        output: nesterov ? zeros(device, elements(shape)) : undefined,
      })),
    }),
    update: (directions, { device, parameters }, step) => {
      const decay = mu(step)
      const entries = directions.map((gradient, index) => {
        if (!gradient) return null
        const { buffer, output } = parameters[index]!
        return { gradient, m: buffer, mDecay: decay, mWeight: 1, direction: output, fromGradient: 1, fromM: decay }
      })
      updateAll(device, 'momentum', entries)
      return parameters.map(({ buffer, output }, index) => (directions[index] ? (output ?? buffer) : null))
    },
    slots: ({ parameters }) => parameters.map(({ name, buffer }) => arraySlot(`${name}/momentum`, buffer)),
    dispose: ({ parameters }) => disposeArrays(parameters.flatMap(({ buffer, output }) => [buffer, output])),
  }
}
