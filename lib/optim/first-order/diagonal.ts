import type { Device } from '../../device.js'
import type { Schedule } from '../../schedule/schedule.js'
import { updateAll } from '../elementwise.js'
import { type ParameterwiseState, type Present, parameterwise } from '../parameterwise.js'
import type { Rule } from '../rule.js'

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
  /** Whether v' is the largest there has been (AMSGrad). Default false. */
  readonly keepsLargest?: boolean
}

/**
 * Rules of the form
 *
 *     m <- beta1 m + (1 - beta1) g,   v <- beta2 v + (1 - beta2) g^2  or  v <- v + g^2
 *     D = m' / (sqrt(v') + epsilon),  m' = m / (1 - prod beta1),  v' = v or v / (1 - prod beta2)
 *
 * elementwise: Adam, RMSProp and AdaGrad; AMSGrad with the largest v so far in place of v. With constant betas prod beta is beta^t; the product also is right for
 * schedules, and for parameters that had no gradient for some steps, because each parameter counts its own.
 */
export function diagonalRule(moments: DiagonalMoments): Rule<ParameterwiseState> {
  const { name, beta1, beta2, isSecondCorrected, epsilon, keepsLargest = false } = moments
  return parameterwise<'first' | 'second' | 'largest' | 'direction', 'firstStart' | 'secondStart'>({
    name,
    arrays: {
      ...(beta1 === undefined ? {} : { first: 'whole' }),
      second: 'whole',
      ...(keepsLargest ? { largest: 'whole' } : {}),
    },
    scratch: { direction: 'whole' },
    // What is left of the zero start values: the products of all beta1 and of all beta2 so far.
    numbers: {
      ...(beta1 === undefined ? {} : { firstStart: 1 }),
      ...(beta2 === 'sum' || !isSecondCorrected ? {} : { secondStart: 1 }),
    },
    flopsPerElement: beta1 === undefined ? 6 : 10,
    step: (present, { device, step }) => {
      const entries = present.map(({ gradient, arrays, numbers }) => ({
        gradient,
        direction: arrays.direction,
        v: arrays.second,
        vMax: arrays.largest,
        epsilon: epsilon(step),
        ...(beta1 === undefined ? { fromGradient: 1 } : { m: arrays.first, ...firstMoment(beta1(step), numbers) }),
        ...(beta2 === 'sum' ? SUM : secondMoment(beta2(step), numbers, isSecondCorrected)),
      }))
      updateAll(device, 'adam', entries)
      return present.map(({ arrays }) => arrays.direction)
    },
  })
}

const SUM = { vDecay: 1, vWeight: 1, vScale: 1 }

/** m <- beta m + (1 - beta) g, taken corrected; advances the product of all beta. */
export function firstMoment(beta: number, numbers: Record<'firstStart', number>) {
  numbers.firstStart *= beta
  return { mDecay: beta, mWeight: 1 - beta, fromM: 1 / (1 - numbers.firstStart) }
}

/** v <- beta v + (1 - beta) g^2, taken corrected if asked for. */
export function secondMoment(beta: number, numbers: Record<'secondStart', number>, isCorrected = true) {
  if (!isCorrected) return { vDecay: beta, vWeight: 1 - beta, vScale: 1 }
  numbers.secondStart *= beta
  return { vDecay: beta, vWeight: 1 - beta, vScale: 1 / (1 - numbers.secondStart) }
}

/** One step of Adam with both moments, in place; the directions are in `direction`. */
export function adamDirections(
  present: readonly Present<'first' | 'second' | 'direction', 'firstStart' | 'secondStart'>[],
  device: Device,
  { beta1, beta2, epsilon }: { readonly beta1: number; readonly beta2: number; readonly epsilon: number },
): void {
  const entries = present.map(({ gradient, arrays, numbers }) => ({
    gradient,
    m: arrays.first,
    ...firstMoment(beta1, numbers),
    v: arrays.second,
    ...secondMoment(beta2, numbers),
    epsilon,
    direction: arrays.direction,
  }))
  updateAll(device, 'adam', entries)
}

/** A decay rate of a moment that is optional: a constant 0 stores no moment at all. */
export function optionalDecay(
  value: Schedule,
  decay: (step: number) => number,
): ((step: number) => number) | undefined {
  return value === 0 ? undefined : decay
}
