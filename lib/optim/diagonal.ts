import type { Device } from '../device.js'
import type { UpdateArray } from '../linalg/elementwise-update.js'
import { disposeArrays, type ParameterArray, zeros } from '../precondition/arrays.js'
import { elements } from '../precondition/plan.js'
import type { Schedule } from '../schedule/schedule.js'
import { elementwisePlan } from './describe.js'
import { updateAll } from './elementwise.js'
import type { ParameterSpec, Rule } from './rule.js'
import { arraySlot } from './slots.js'

/** How a diagonal rule treats its moments; schedules are checked by the rule that names them. */
export interface DiagonalMoments {
  readonly name: string
  /** Decay of the gradient's average, corrected for its start at zero; undefined uses the gradient itself. */
  readonly beta1: ((step: number) => number) | undefined
  /** Decay of the squares' average, or the sum of all squares. */
  readonly beta2: ((step: number) => number) | 'sum'
  /** Whether the average of the squares is corrected for its start at zero. */
  readonly isSecondCorrected: boolean
  readonly epsilon: (step: number) => number
}

interface DiagonalParameter {
  readonly spec: ParameterSpec
  /** Undefined without beta1. */
  readonly first: ParameterArray | undefined
  readonly second: ParameterArray
  /** What is left of the zero start values: the products of all beta1 and of all beta2 so far. */
  readonly startWeights: Float64Array
  readonly direction: ParameterArray
}

/** State of a rule that divides by the root of a running second moment. */
export interface DiagonalState {
  readonly device: Device
  readonly parameters: readonly DiagonalParameter[]
}

/**
 * Rules of the form
 *
 *     m <- beta1 m + (1 - beta1) g,   v <- beta2 v + (1 - beta2) g^2  or  v <- v + g^2
 *     D = m' / (sqrt(v') + epsilon),  m' = m / (1 - prod beta1),  v' = v or v / (1 - prod beta2)
 *
 * elementwise: Adam, RMSProp and AdaGrad. With constant betas prod beta is beta^t; the product also is right for
 * schedules, and for parameters that had no gradient for some steps, because each parameter counts its own.
 */
export function diagonalRule(moments: DiagonalMoments): Rule<DiagonalState> {
  const { name, beta1, beta2 } = moments
  return {
    name,
    init: (parameters, device) => ({
      device,
      parameters: parameters.map((spec) => {
        const size = elements(spec.shape)
        return {
          spec,
          first: beta1 === undefined ? undefined : zeros(device, size),
          second: zeros(device, size),
          startWeights: new Float64Array([1, 1]),
          direction: zeros(device, size),
        }
      }),
    }),
    update: (gradients, state, { step, clock }) =>
      clock.time('apply', () => {
        const present = state.parameters.map((parameter, index) => (gradients[index] ? parameter : null))
        const entries = present.map((parameter, index) =>
          parameter ? entryOf(moments, parameter, gradients[index]!, step) : null,
        )
        updateAll(state.device, 'adam', entries)
        return present.map((parameter) => parameter?.direction ?? null)
      }),
    describe: (state) => {
      const arrays = 2 + (beta1 === undefined ? 0 : 1) // second moment, direction, and the first moment if there is one
      const specs = state.parameters.map(({ spec }) => spec)
      return elementwisePlan(name, specs, { arrays, flopsPerElement: beta1 === undefined ? 6 : 10 })
    },
    slots: (state) =>
      state.parameters.flatMap(({ spec, first, second, startWeights }) => [
        ...(first === undefined ? [] : [arraySlot(`${spec.name}/first`, first)]),
        arraySlot(`${spec.name}/second`, second),
        ...(beta1 === undefined && beta2 === 'sum' ? [] : [arraySlot(`${spec.name}/startWeights`, startWeights)]),
      ]),
    report: () => [],
    dispose: ({ parameters }) =>
      disposeArrays(parameters.flatMap(({ first, second, direction }) => [first, second, direction])),
  }
}

/** Advances the counters of a parameter; what is to be done with its arrays. */
function entryOf(
  { beta1, beta2, isSecondCorrected, epsilon }: DiagonalMoments,
  { first, second, startWeights, direction }: DiagonalParameter,
  gradient: ParameterArray,
  step: number,
): UpdateArray {
  let fromFirst: Partial<UpdateArray> = { fromGradient: 1 }
  if (beta1 !== undefined) {
    const beta = beta1(step)
    startWeights[0]! *= beta
    fromFirst = { m: first, mDecay: beta, mWeight: 1 - beta, fromM: 1 / (1 - startWeights[0]!) }
  }
  let fromSecond = { vDecay: 1, vWeight: 1, vScale: 1 }
  if (beta2 !== 'sum') {
    const beta = beta2(step)
    startWeights[1]! *= beta
    fromSecond = { vDecay: beta, vWeight: 1 - beta, vScale: isSecondCorrected ? 1 / (1 - startWeights[1]!) : 1 }
  }
  return { gradient, direction, v: second, ...fromFirst, ...fromSecond, epsilon: epsilon(step) }
}

/** A decay rate of a moment that is optional: a constant 0 stores no moment at all. */
export function optionalDecay(
  value: Schedule,
  decay: (step: number) => number,
): ((step: number) => number) | undefined {
  return value === 0 ? undefined : decay
}
