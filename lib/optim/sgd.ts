import type { Device } from '../device.js'
import { checkFields } from '../errors.js'
import { disposeArrays, type ParameterArray, zeros } from '../precondition/arrays.js'
import { elements } from '../precondition/plan.js'
import type { Schedule } from '../schedule/schedule.js'
import { boolean, hyperparameter, optionError } from '../schedule/validate.js'
import { elementwisePlan } from './describe.js'
import { updateAll } from './elementwise.js'
import type { ParameterSpec, Rule } from './rule.js'
import { arraySlot } from './slots.js'

/** Options of {@link sgd}. */
export interface SgdOptions {
  /** Heavy-ball momentum mu, 0 <= mu < 1. Default 0; the constant 0 stores no buffer. */
  readonly momentum?: Schedule
  /** What is withheld from the gradient as it enters the buffer, 0 <= dampening <= 1. Default 0. */
  readonly dampening?: Schedule
  /** Nesterov's look-ahead; needs momentum and no dampening. Default false. */
  readonly nesterov?: boolean
}

interface SgdParameter {
  readonly spec: ParameterSpec
  readonly buffer: ParameterArray | undefined
  /** 1 once the buffer holds a gradient. */
  readonly started: Uint8Array
  readonly direction: ParameterArray | undefined
}

/** State of {@link sgd}. */
export interface SgdState {
  readonly device: Device
  readonly parameters: readonly SgdParameter[]
}

/**
 * Stochastic gradient descent with heavy-ball or Nesterov momentum, in PyTorch's form:
 *
 *     b <- g in the first step, then  b <- mu b + (1 - dampening) g
 *     D = b, or g + mu b with Nesterov, or g without momentum
 *
 * State: 1 fp32 number an element, none without momentum.
 *
 * Source: Polyak, USSR Comp. Math. Math. Phys. 4 (1964); Nesterov's form: Sutskever et al., ICML 2013, equations 3, 4.
 */
export function sgd(options: SgdOptions = {}): Rule<SgdState> {
  checkFields('sgd', options, ['momentum', 'dampening', 'nesterov'])
  const momentum = hyperparameter('sgd', 'momentum', options.momentum ?? 0, { min: 0, below: 1 })
  const dampening = hyperparameter('sgd', 'dampening', options.dampening ?? 0, { min: 0, max: 1 })
  const nesterov = boolean('sgd', 'nesterov', options.nesterov ?? false)
  const hasBuffer = (options.momentum ?? 0) !== 0
  if (nesterov && (!hasBuffer || (options.dampening ?? 0) !== 0)) {
    throw optionError('sgd', 'nesterov', true, 'false, or true with momentum > 0 and dampening 0')
  }
  return {
    name: 'sgd',
    init: (parameters, device) => ({
      device,
      parameters: parameters.map((spec) => {
        const size = elements(spec.shape)
        return {
          spec,
          buffer: hasBuffer ? zeros(device, size) : undefined,
          started: new Uint8Array(1),
          direction: nesterov ? zeros(device, size) : undefined,
        }
      }),
    }),
    update: (gradients, state, { step, clock }) =>
      clock.time('apply', () => {
        if (!hasBuffer) return gradients
        const mu = momentum(step)
        const damped = 1 - dampening(step)
        const entries = state.parameters.map(({ buffer, started, direction }, index) => {
          const gradient = gradients[index]
          if (!gradient) return null
          const weights = started[0] === 0 ? { mDecay: 0, mWeight: 1 } : { mDecay: mu, mWeight: damped }
          started[0] = 1
          return { gradient, m: buffer, ...weights, direction, fromGradient: 1, fromM: mu }
        })
        updateAll(state.device, 'momentum', entries)
        return state.parameters.map(({ buffer, direction }, index) =>
          gradients[index] ? (direction ?? buffer ?? null) : null,
        )
      }),
    describe: (state) => {
      const arrays = (hasBuffer ? 1 : 0) + (nesterov ? 1 : 0)
      const specs = state.parameters.map(({ spec }) => spec)
      return elementwisePlan('sgd', specs, { arrays, flopsPerElement: 3 * arrays })
    },
    slots: (state) =>
      state.parameters.flatMap(({ spec, buffer, started }) =>
        buffer === undefined
          ? []
          : [arraySlot(`${spec.name}/buffer`, buffer), arraySlot(`${spec.name}/started`, started)],
      ),
    report: () => [],
    dispose: ({ parameters }) => disposeArrays(parameters.flatMap(({ buffer, direction }) => [buffer, direction])),
  }
}
