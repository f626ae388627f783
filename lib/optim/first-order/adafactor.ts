import type { Device } from '../../device.js'
import { checkFields } from '../../errors.js'
import { reduce } from '../../linalg/reduce.js'
import { disposeArrays, lengthOf, type ParameterArray, zeros } from '../../precondition/arrays.js'
import { elements } from '../../precondition/plan.js'
import type { Schedule } from '../../schedule/schedule.js'
import { boolean, hyperparameter, numberIn, optionError } from '../../schedule/validate.js'
import { elementwisePlan } from '../describe.js'
import { updateAll } from '../elementwise.js'
import type { Gradients, ParameterSpec, Rule, RuleContext, RulePlan } from '../rule.js'
import { arraySlot, numberSlot } from '../slots.js'
import {
  type FactoredBucket,
  factoredBuckets,
  factoredSlots,
  factoredStep,
  factoredTensors,
} from './factored-moments.js'

/** Options of {@link adafactor}. */
export interface AdafactorOptions {
  /** c of the decay 1 - t^-c of the second moment, > 0. Default 0.8. */
  readonly decayExponent?: number
  /** Added to the squared gradients, > 0. Default 1e-30. */
  readonly epsilon?: number
  /** Least size of a parameter, for the relative step, > 0. Default 1e-3. */
  readonly leastScale?: number
  /** d: root mean square that updates are clipped to, > 0, or 'none'. Default 1. */
  readonly clip?: Schedule | 'none'
  /** Decay of an average of the clipped updates, 0 <= beta1 < 1. Default 0; the constant 0 stores no average. */
  readonly beta1?: Schedule
  /** Whether the step falls as min(1e-2, 1 / sqrt(t)), times the learning rate. Default true. */
  readonly relativeStep?: boolean
  /** Whether the step is relative to the root mean square of the parameter. Default true. */
  readonly scaleByParameter?: boolean
}

interface AdafactorParameter {
  readonly spec: ParameterSpec
  /** The second moment of a parameter with fewer than two dimensions. */
  readonly second: ParameterArray | undefined
  readonly average: ParameterArray | undefined
  readonly direction: ParameterArray
  readonly numbers: { count: number }
}

/** State of {@link adafactor}. */
export interface AdafactorState {
  readonly device: Device
  readonly parameters: readonly AdafactorParameter[]
  readonly buckets: readonly FactoredBucket[]
}

/** A parameter that has a gradient. */
interface Present extends AdafactorParameter {
  readonly index: number
  readonly gradient: ParameterArray
  readonly value: ParameterArray | undefined
  /** Of the second moment in this step. */
  readonly decay: number
}

/**
 * Adafactor: Adam whose second moment is a product of row and column means, and whose steps are relative to the parameter,
 *
 *     beta2 = 1 - t^-c     R <- beta2 R + (1 - beta2) mean_j(g^2 + epsilon)     C <- the same with mean_i
 *     U = g / sqrt(R C / mean(R))     D = alpha U / max(1, rms(U) / d)
 *     alpha = max(leastScale, rms(w)) min(1e-2, 1 / sqrt(t))
 *
 * Parameters with fewer than two dimensions keep a whole second moment; of those with more, the last two dimensions are the
 * matrix. t counts the steps of a parameter. With the relative step the learning rate of the group is 1; without both options of
 * the step alpha is 1, and the learning rate is Adam's. Equal shapes are stacked. State: rows + columns fp32 numbers a matrix.
 * Needs the values of the parameters for `scaleByParameter`.
 *
 * Source: Shazeer and Stern, arXiv 1804.04235, algorithms 4 to 6.
 */
export function adafactor(options: AdafactorOptions = {}): Rule<AdafactorState> {
  const { needsValues, init, update } = checkedAdafactor(options)
  return {
    name: 'adafactor',
    needsValues,
    init,
    update,
    describe,
    slots: ({ parameters, buckets }) => [
      ...parameters.flatMap(({ spec, second, average, numbers }) => [
        ...(second === undefined ? [] : [arraySlot(`${spec.name}/second`, second)]),
        ...(average === undefined ? [] : [arraySlot(`${spec.name}/average`, average)]),
        numberSlot(`${spec.name}/count`, numbers, 'count'),
      ]),
      ...buckets.flatMap((bucket) =>
        factoredSlots(
          bucket,
          parameters.map(({ spec }) => spec),
        ),
      ),
    ],
    report: () => [],
    dispose: ({ parameters, buckets }) => {
      disposeArrays(parameters.flatMap(({ second, average, direction }) => [second, average, direction]))
      disposeArrays(buckets.flatMap(factoredTensors))
    },
  }
}

const FIELDS = ['decayExponent', 'epsilon', 'leastScale', 'clip', 'beta1', 'relativeStep', 'scaleByParameter']

type Checked = Required<Pick<Rule<AdafactorState>, 'init' | 'update' | 'needsValues'>>

function checkedAdafactor(options: AdafactorOptions): Checked {
  checkFields('adafactor', options, FIELDS)
  const exponent = numberIn('adafactor', 'decayExponent', options.decayExponent ?? 0.8, { above: 0 })
  const epsilon = numberIn('adafactor', 'epsilon', options.epsilon ?? 1e-30, { above: 0 })
  const leastScale = numberIn('adafactor', 'leastScale', options.leastScale ?? 1e-3, { above: 0 })
  const clip = checkedClip(options.clip ?? 1)
  const beta1 = hyperparameter('adafactor', 'beta1', options.beta1 ?? 0, { min: 0, below: 1 })
  const hasAverage = (options.beta1 ?? 0) !== 0
  const isRelative = boolean('adafactor', 'relativeStep', options.relativeStep ?? true)
  const isScaled = boolean('adafactor', 'scaleByParameter', options.scaleByParameter ?? true)

  function update(
    gradients: Gradients,
    { device, parameters, buckets }: AdafactorState,
    context: RuleContext,
  ): Gradients {
    const present = parameters.flatMap((parameter, index): readonly Present[] => {
      const gradient = gradients[index]
      if (!gradient) return []
      parameter.numbers.count++
      const decay = 1 - parameter.numbers.count ** -exponent
      return [{ ...parameter, index, gradient, value: context.parameters?.[index], decay }]
    })
    if (present.length === 0) return gradients
    divideByMoments(device, buckets, present, epsilon)
    const factors = clipFactors(device, present, clip(context.step))
    const sizes = isScaled ? rootMeanSquares(device, present, ({ value }) => value!) : present.map(() => 1)
    const steps = present.map(({ numbers: { count } }, index) => {
      const relative = isRelative ? Math.min(1e-2, 1 / Math.sqrt(count)) : 1
      return isScaled ? relative * Math.max(leastScale, sizes[index]!) : relative
    })
    const mu = beta1(context.step)
    const entries = present.map(({ average, direction }, index) =>
      average === undefined
        ? { gradient: direction, direction, fromGradient: factors[index]! * steps[index]! }
        : {
            gradient: direction,
            m: average,
            mDecay: mu,
            mWeight: (1 - mu) * factors[index]!,
            fromM: steps[index]!,
            direction,
          },
    )
    updateAll(device, hasAverage ? 'momentum' : 'combine', entries)
    return parameters.map(({ direction }, index) => (gradients[index] ? direction : null))
  }

  return {
    needsValues: isScaled,
    init: (parameters, device) => ({
      device,
      parameters: parameters.map((spec) => {
        const size = elements(spec.shape)
        return {
          spec,
          second: isFactored(spec) ? undefined : zeros(device, size),
          average: hasAverage ? zeros(device, size) : undefined,
          direction: zeros(device, size),
          numbers: { count: 0 },
        }
      }),
      buckets: factoredBuckets(device, parameters, isFactored, epsilon),
    }),
    update: (gradients, state, context) => context.clock.time('apply', () => update(gradients, state, context)),
  }
}

function isFactored({ shape }: ParameterSpec): boolean {
  return shape.length >= 2 && elements(shape) > 0
}

function checkedClip(clip: Schedule | 'none'): (step: number) => number {
  if (clip === 'none') return () => Number.POSITIVE_INFINITY
  if (typeof clip === 'number' || typeof clip === 'function')
    return hyperparameter('adafactor', 'clip', clip, { above: 0 })
  throw optionError('adafactor', 'clip', clip, "a number > 0, a function of the step, or 'none'")
}

/** Gradients over the roots of their second moments, whole or factored. */
function divideByMoments(
  device: Device,
  buckets: readonly FactoredBucket[],
  present: readonly Present[],
  epsilon: number,
): void {
  // A decay of 0 in the first step makes the average of epsilon epsilon.
  const whole = present.map(({ gradient, second, direction, decay }) => {
    if (second === undefined) return null
    const moments = { v: second, vDecay: decay, vWeight: 1 - decay, vScale: 1, epsilonInside: epsilon }
    return { gradient, fromGradient: 1, ...moments, direction }
  })
  updateAll(device, 'adam', whole)
  const byIndex = new Map(present.map((one) => [one.index, one]))
  factoredStep(device, buckets, (parameter) => byIndex.get(parameter))
}

/** 1 / max(1, rms / d) of the directions. */
function clipFactors(device: Device, present: readonly Present[], largest: number): readonly number[] {
  if (largest === Number.POSITIVE_INFINITY) return present.map(() => 1)
  return rootMeanSquares(device, present, ({ direction }) => direction).map((rms) => 1 / Math.max(1, rms / largest))
}

function rootMeanSquares(
  device: Device,
  present: readonly Present[],
  arrayOf: (one: Present) => ParameterArray,
): readonly number[] {
  const arrays = present.map((one) => ({ x: arrayOf(one) }))
  const squares = reduce(device, 'dot', arrays)
  return Array.from(squares, (square, index) => Math.sqrt(square / Math.max(1, lengthOf(arrays[index]!.x))))
}

function describe({ parameters, buckets }: AdafactorState): RulePlan {
  const arrays = parameters.flatMap(({ second, average, direction }) => [second, average, direction])
  const tensors = buckets.flatMap(factoredTensors)
  const lengths = [...arrays, ...tensors].reduce((sum, array) => sum + (array === undefined ? 0 : lengthOf(array)), 0)
  const specs = parameters.map(({ spec }) => spec)
  return {
    ...elementwisePlan('adafactor', specs, { bytes: 4 * lengths, flopsPerElement: 12 }),
    buckets: buckets.map(({ rows, columns, each, members }) => ({
      shape: [rows, columns],
      blocks: each * members.length,
      kernels: ['matmul x 4', 'kronSolve (values)'],
    })),
    nativeCallsPerStep: 5 * buckets.length,
  }
}
