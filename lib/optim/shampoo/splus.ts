import type { Device } from '../../device.js'
import { checkFields } from '../../errors.js'
import {
  copyAll,
  disposeArrays,
  emptyTensor,
  type ParameterArray,
  withViews,
  zeros,
} from '../../precondition/arrays.js'
import { basisSolver, intoBases, outOfBases } from '../../precondition/bases.js'
import { blockRuns, stackBlocks, unstackBlocks } from '../../precondition/blocks.js'
import { activeFactors, type BucketFactors, createFactors, disposeFactors } from '../../precondition/factors.js'
import { elements, type Plan, planBlocks } from '../../precondition/plan.js'
import { type RefreshOptions, type RefreshTiming, refreshTiming } from '../../precondition/refresh.js'
import { Refresher } from '../../precondition/refresher.js'
import { sidesOf } from '../../precondition/sides.js'
import { accumulateStatistics } from '../../precondition/statistics.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn } from '../../schedule/validate.js'
import type { Tensor } from '../../tensor.js'
import { countElements } from '../describe.js'
import { finiteOnly, updateAll } from '../elementwise.js'
import type { Gradients, ParameterSpec, Rule, RuleContext, RulePlan } from '../rule.js'
import { arraySlot } from '../slots.js'
import { factorSlots, reportFactors } from './factor-slots.js'
import { statisticGradients } from './statistic-gradients.js'

/** Options of {@link splus}. */
export interface SplusOptions {
  /** Decay of the gradient's average, 0 <= beta1 < 1. Default 0.9. */
  readonly beta1?: Schedule
  /** Decay of the factors, 0 <= beta2 < 1. Default 0.999. */
  readonly beta2?: Schedule
  /** Decay of the average of the weights that is evaluated, 0 <= averageBeta < 1. Default 0.999. */
  readonly averageBeta?: Schedule
  /** Factor of the sign steps of parameters that are no matrices, > 0. Default 0.001. */
  readonly vectorScale?: Schedule
  /** Largest dimension with a basis; larger ones take the identity. Default 10000. */
  readonly largest?: number
  /** When bases are computed anew. Default { every: 100 }, and at a block's first gradient. */
  readonly refresh?: Omit<RefreshOptions, 'start'>
  /** Consecutive failed solves of one factor that are answered by its stale basis. Default 3; the next one throws. */
  readonly toleratedFailures?: number
}

interface Settings {
  readonly beta1: (step: number) => number
  readonly beta2: (step: number) => number
  readonly averageBeta: (step: number) => number
  readonly vectorScale: (step: number) => number
  readonly largest: number
  readonly timing: RefreshTiming
  readonly toleratedFailures: number
}

/** State of {@link splus}. */
export interface SplusState {
  readonly device: Device
  readonly plan: Plan
  readonly groups: readonly BucketFactors[]
  /** Signs in the bases, by bucket. */
  readonly rotated: readonly Tensor[]
  readonly refresher: Refresher
  readonly parameters: readonly {
    readonly name: string
    readonly momentum: ParameterArray
    readonly direction: ParameterArray
    /** Average of the weights, and what is left of its zero start value. */
    readonly average: ParameterArray
    readonly averageStart: Float64Array
    readonly evaluated: ParameterArray
  }[]
}

/**
 * SPlus: sign descent in the eigenbases of Shampoo's factors. For a matrix m x n,
 *
 *     M <- beta1 M + (1 - beta1) G       L <- beta2 L + (1 - beta2) G G^T       R likewise, of G^T G
 *     D = 2 / (m + n) Q_L sign(Q_L^T M Q_R) Q_R^T
 *
 * with bases computed anew every so often; tensors of higher order are merged into matrices, vectors take
 * D = vectorScale sign(M). What is evaluated is the average of the weights,  A <- averageBeta A + (1 - averageBeta) W,
 * corrected for its start at zero (`optimizer.evaluation()`). Learning rates carry over between widths; 0.1 to 0.2 is usual.
 *
 * Source: Frans et al., A Stable Whitening Optimizer for Efficient Neural Network Training, arXiv 2506.07254, algorithm 1.
 */
export function splus(options: SplusOptions = {}): Rule<SplusState> {
  const settings = checkOptions(options)
  return {
    name: 'splus',
    needsValues: true,
    init: (parameters, device) => createState(settings, parameters, device),
    update: (gradients, state, context) => update(settings, state, gradients, context),
    evaluation: ({ device, parameters }) => {
      const started = parameters.filter(({ averageStart }) => averageStart[0]! < 1)
      copyAll(
        device,
        started.map(({ average, averageStart, evaluated }) => ({
          from: average,
          to: evaluated,
          factor: 1 / (1 - averageStart[0]!),
        })),
      )
      return parameters.map(({ averageStart, evaluated }) => (averageStart[0]! < 1 ? evaluated : null))
    },
    describe: (state) => describe(state),
    slots: (state) => [
      ...factorSlots(state, 'basis', { isSum: false, isStaggered: settings.timing.isStaggered }),
      ...state.parameters.flatMap(({ name, momentum, average, averageStart }) => [
        arraySlot(`${name}/momentum`, momentum),
        arraySlot(`${name}/average`, average),
        arraySlot(`${name}/averageStart`, averageStart),
      ]),
    ],
    report: reportFactors,
    settled: (state) => state.refresher.settled(),
    dispose: (state) => {
      state.refresher.dispose()
      for (const group of state.groups) disposeFactors(group)
      disposeArrays(state.rotated)
      disposeArrays(
        state.parameters.flatMap(({ momentum, direction, average, evaluated }) => [
          momentum,
          direction,
          average,
          evaluated,
        ]),
      )
    },
  }
}

function checkOptions(options: SplusOptions): Settings {
  const owner = 'splus'
  checkFields(owner, options, [
    'beta1',
    'beta2',
    'averageBeta',
    'vectorScale',
    'largest',
    'refresh',
    'toleratedFailures',
  ])
  const refresh = options.refresh ?? {}
  checkFields(`${owner}: refresh`, refresh, ['every', 'statistics', 'burnIn', 'staggered', 'tolerance', 'staleness'])
  const below1 = { min: 0, below: 1 }
  return {
    beta1: hyperparameter(owner, 'beta1', options.beta1 ?? 0.9, below1),
    beta2: hyperparameter(owner, 'beta2', options.beta2 ?? 0.999, below1),
    averageBeta: hyperparameter(owner, 'averageBeta', options.averageBeta ?? 0.999, below1),
    vectorScale: hyperparameter(owner, 'vectorScale', options.vectorScale ?? 1e-3, { above: 0 }),
    largest: numberIn(owner, 'largest', options.largest ?? 10000, { min: 1, integer: true }),
    timing: refreshTiming(owner, { every: 100, ...refresh, start: 1 }),
    toleratedFailures: numberIn(owner, 'toleratedFailures', options.toleratedFailures ?? 3, { min: 0, integer: true }),
  }
}

/** Matrices are not cut. */
const WHOLE = { blockSize: 2 ** 40, merge: { threshold: 2 ** 40, target: 2 } }

function createState(settings: Settings, parameters: readonly ParameterSpec[], device: Device): SplusState {
  const { timing, toleratedFailures, largest } = settings
  const plan = planBlocks(parameters, WHOLE)
  const sides = sidesOf('splus', { largest, otherwise: 'none' })
  const groups = plan.buckets.map((bucket) =>
    createFactors(device, bucket, parameters, {
      kinds: bucket.shape.length === 2 ? sides(bucket.shape) : ['none'],
      exponents: bucket.shape.map(() => [1, 2]),
      toleratedFailures,
      storage: 'f32',
      start: 'zero',
    }),
  )
  const scaling = { isCorrected: false, traceExponent: 0 }
  const solver = basisSolver('decompose', timing.tolerance)
  return {
    device,
    plan,
    groups,
    rotated: groups.map(({ input }) => emptyTensor(device, input!.shape)),
    refresher: new Refresher(device, groups, { owner: 'splus', timing, solver, scaling, isEager: true }),
    parameters: parameters.map(({ name, shape }) => {
      const size = elements(shape)
      return {
        name,
        momentum: zeros(device, size),
        direction: zeros(device, size),
        average: zeros(device, size),
        averageStart: Float64Array.of(1),
        evaluated: zeros(device, size),
      }
    }),
  }
}

function update(settings: Settings, state: SplusState, gradients: Gradients, context: RuleContext): Gradients {
  const { step, clock } = context
  const usable = clock.time('apply', () => finiteOnly(state.device, gradients))
  clock.time('statistics', () => {
    if (!settings.timing.takesStatistics(step)) return
    const lists = statisticGradients(state.device, usable, context.examples)
    for (const group of state.groups) {
      lists.forEach((gradients, index) => {
        stackBlocks(group, gradients)
        accumulateStatistics(group, gradients, settings.beta2(step), undefined, { index, count: lists.length })
      })
    }
  })
  if (state.refresher.mark(step)) {
    clock.time('refresh', () => state.refresher.advance(step, (parameter) => usable[parameter] !== null))
  }
  if (step <= settings.timing.burnIn) return gradients.map(() => null)
  return clock.time('apply', () => {
    const beta = settings.beta1(step)
    const moves = usable.map(
      (gradient, index) =>
        gradient && { gradient, m: state.parameters[index]!.momentum, mDecay: beta, mWeight: 1 - beta },
    )
    updateAll(state.device, 'momentum', moves)
    const directions = usable.map((gradient, index) => gradient && state.parameters[index]!.direction)
    signsInBases(settings, state, directions, step)
    averageWeights(settings, state, directions, context)
    return directions
  })
}

/** Directions of all parameters that are not null, from their averages. */
function signsInBases(settings: Settings, state: SplusState, directions: Gradients, step: number): void {
  const momenta = directions.map((direction, index) => direction && state.parameters[index]!.momentum)
  state.groups.forEach((group, index) => {
    const { blocks, shape } = group.bucket
    if (blocks.every(({ parameter }) => directions[parameter] === null)) return
    const rotated = state.rotated[index]!
    stackBlocks(group, momenta)
    intoBases(group, group.input!, rotated)
    updateAll(state.device, 'sign', [{ gradient: rotated, direction: rotated, fromGradient: 1 }])
    outOfBases(group, rotated, group.output!)
    if (group.stack !== undefined) group.output!.read(group.stack)
    unstackBlocks(group, group.stack ?? group.output!, directions)
    const scale = shape.length === 2 ? 2 / (shape[0]! + shape[1]!) : settings.vectorScale(step)
    withViews((views) => {
      const scaled = blocks.flatMap((block) => {
        const direction = directions[block.parameter]
        return direction ? blockRuns(block, direction, views) : []
      })
      updateAll(
        state.device,
        'combine',
        scaled.map((run) => ({ gradient: run, direction: run, fromGradient: scale })),
      )
    })
  })
}

/** A <- averageBeta A + (1 - averageBeta) (W - lr D - shrinkage W) */
function averageWeights(settings: Settings, state: SplusState, directions: Gradients, context: RuleContext): void {
  const { step, lr, shrinkage = 0, parameters: values } = context
  if (values === undefined) return
  const beta = settings.averageBeta(step)
  const moved = directions.flatMap((direction, index) => {
    if (direction === null) return []
    const { average, averageStart, evaluated } = state.parameters[index]!
    averageStart[0]! *= beta
    return [{ value: values[index]!, direction, average, next: evaluated }]
  })
  updateAll(
    state.device,
    'combine',
    moved.map(({ value, direction, next }) => ({
      gradient: value,
      m: direction,
      direction: next,
      fromGradient: 1 - shrinkage,
      fromM: -lr,
    })),
  )
  updateAll(
    state.device,
    'momentum',
    moved.map(({ next, average }) => ({ gradient: next, m: average, mDecay: beta, mWeight: 1 - beta })),
  )
}

function describe(state: SplusState): RulePlan {
  const specs = state.plan.parameters
  const total = countElements(specs)
  const costs = state.groups.map((group) => {
    const { bucket } = group
    const full = activeFactors(group)
    const blocks = bucket.blocks.length
    const sum = (pick: (size: number) => number) => full.reduce((partial, { size }) => partial + pick(size), 0)
    return {
      plan: {
        shape: bucket.shape,
        blocks,
        kernels: full.length > 0 ? [`gram x ${full.length}`, 'kronApply x 2', `eigh x ${full.length}`] : [],
      },
      bytes: 4 * blocks * (4 * bucket.size + sum((n) => 2 * n * n)),
      flopsPerStep: blocks * sum((n) => 5 * n * bucket.size),
      flopsPerRefresh: blocks * sum((n) => 10 * n ** 3),
      calls: full.length,
    }
  })
  const sum = (pick: (cost: (typeof costs)[number]) => number) => costs.reduce((all, cost) => all + pick(cost), 0)
  return {
    rule: 'splus',
    parameters: specs.length,
    elements: total,
    buckets: costs.map(({ plan }) => plan),
    // Momentum, direction, average of the weights and what is evaluated.
    bytes: 16 * total + sum(({ bytes }) => bytes),
    flopsPerStep: 12 * total + sum(({ flopsPerStep }) => flopsPerStep),
    flopsPerRefresh: sum(({ flopsPerRefresh }) => flopsPerRefresh),
    nativeCallsPerStep: sum(({ calls }) => (calls > 0 ? calls + 2 : 0)),
    nativeCallsPerRefresh: sum(({ calls }) => calls),
  }
}
