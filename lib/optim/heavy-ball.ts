import { elements } from '../precondition/plan.js'
import type { Schedule } from '../schedule/schedule.js'
import { boolean, hyperparameter, optionError } from '../schedule/validate.js'
import { combine } from './elementwise.js'
import type { Gradients, ParameterSpec } from './rule.js'
import { arraySlot, type Slot } from './slots.js'

interface BallParameter {
  readonly name: string
  readonly buffer: Float32Array
  readonly output: Float32Array | undefined
}

/** State of a {@link HeavyBall}. */
export type HeavyBallState = readonly BallParameter[]

/** Momentum over directions, after preconditioning. */
export interface HeavyBall {
  init(parameters: readonly ParameterSpec[]): HeavyBallState
  update(directions: Gradients, state: HeavyBallState, step: number): Gradients
  slots(state: HeavyBallState): readonly Slot[]
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
    init: (parameters) =>
      parameters.map(({ name, shape }) => ({
        name,
        buffer: new Float32Array(elements(shape)),
        output: nesterov ? new Float32Array(elements(shape)) : undefined,
      })),
    update: (directions, state, step) =>
      directions.map((direction, index) => {
        if (!direction) return null
        const { buffer, output } = state[index]!
        combine(buffer, mu(step), buffer, 1, direction)
        if (output === undefined) return buffer
        combine(output, 1, direction, mu(step), buffer)
        return output
      }),
    slots: (state) => state.map(({ name, buffer }) => arraySlot(`${name}/momentum`, buffer)),
  }
}
