// The machinery of rules that run Adam in the eigenbases of Kronecker factors: SOAP, KL-SOAP.
import type { Device } from '../../device.js'
import { kronSolve, kronSquares } from '../../linalg/kron-solve.js'
import { matmul } from '../../linalg/matmul.js'
import {
  cast,
  copyAll,
  disposeArrays,
  emptyTensor,
  type ParameterArray,
  type Run,
  runsOf,
  withViews,
  zeros,
} from '../../precondition/arrays.js'
import { type BasisUpdate, basisSolver, intoBases, outOfBases, transport } from '../../precondition/bases.js'
import { stackBlocks, unstackBlocks } from '../../precondition/blocks.js'
import {
  type BucketFactors,
  createFactors,
  disposeFactors,
  type Factor,
  isStarted,
} from '../../precondition/factors.js'
import type { Merge } from '../../precondition/merge.js'
import { elements, type Plan, planBlocks } from '../../precondition/plan.js'
import type { RefreshTiming } from '../../precondition/refresh.js'
import { Refresher, type Transport } from '../../precondition/refresher.js'
import type { Sides } from '../../precondition/sides.js'
import type { StatisticStorage } from '../../precondition/statistic-store.js'
import { accumulateStatistics, type StatisticSource } from '../../precondition/statistics.js'
import type { Tensor } from '../../tensor.js'
import { finiteOnly, updateAll } from '../elementwise.js'
import type { Gradients, ParameterSpec, Rule, RuleContext } from '../rule.js'
import { arraySlot, blockSlot, type Slot } from '../slots.js'
import { planAdamInBases } from './adam-in-bases-plan.js'
import { blockPrefixes, factorSlots, reportFactors } from './factor-slots.js'
import { statisticGradients } from './statistic-gradients.js'

/** Checked options. */
export interface AdamInBasesSettings {
  readonly name: string
  readonly beta1: (step: number) => number
  readonly beta2: (step: number) => number
  /** Decay of the factors. */
  readonly factorBeta: (step: number) => number
  readonly epsilon: (step: number) => number
  /** Whether each factor is taken of the gradient whitened by the other one (KL-SOAP). */
  readonly isWhitened: boolean
  readonly isVectorLeftAlone: boolean
  readonly blockSize: number
  readonly merge: Merge | undefined
  readonly sides: Sides
  readonly storage: StatisticStorage
  readonly update: BasisUpdate
  readonly timing: RefreshTiming
  readonly toleratedFailures: number
}

/** Blocks of one shape with their moments. */
interface BasisGroup {
  readonly factors: BucketFactors
  /** Gradients, [blocks, ...]. */
  readonly x: Tensor
  /** Gradients in the bases, then the update in the bases. */
  readonly rotated: Tensor
  readonly first: Tensor
  readonly second: Tensor
  /** What is left of the zero start values of the moments, by block. */
  readonly starts: { readonly first: Float64Array; readonly second: Float64Array }
  /** Eigenvalues of the factors, [blocks, d], by dimension; only where factors are whitened. */
  readonly values: readonly (Tensor | undefined)[]
}

/** State of a rule. */
export interface AdamInBasesState {
  readonly device: Device
  readonly plan: Plan
  readonly groups: readonly BucketFactors[]
  readonly blocks: readonly BasisGroup[]
  readonly refresher: Refresher
  readonly directions: readonly ParameterArray[]
}

/** A rule over checked settings. */
export function adamInBases(settings: AdamInBasesSettings): Rule<AdamInBasesState> {
  return {
    name: settings.name,
    init: (parameters, device) => createState(settings, parameters, device),
    update: (gradients, state, context) => update(settings, state, gradients, context),
    describe: (state) => planAdamInBases(settings, state),
    slots: (state) => [
      ...factorSlots(state, 'basis', { isSum: false, isStaggered: settings.timing.isStaggered }),
      ...state.blocks.flatMap((group) => momentSlots(group, state.plan)),
    ],
    report: reportFactors,
    settled: (state) => state.refresher.settled(),
    dispose: (state) => {
      state.refresher.dispose()
      for (const group of state.blocks) {
        disposeFactors(group.factors)
        disposeArrays([group.x, group.rotated, group.first, group.second, ...group.values])
      }
      disposeArrays(state.directions)
    },
  }
}

function createState(
  settings: AdamInBasesSettings,
  parameters: readonly ParameterSpec[],
  device: Device,
): AdamInBasesState {
  const { name, timing, isWhitened, isVectorLeftAlone } = settings
  const plan = planBlocks(parameters, settings)
  const blocks = plan.buckets.map((bucket): BasisGroup => {
    const isAlone = isVectorLeftAlone && bucket.shape.length === 1
    const factors = createFactors(device, bucket, parameters, {
      kinds: settings.sides(bucket.shape).map((kind) => (kind === 'full' && !isAlone ? 'full' : 'none')),
      exponents: bucket.shape.map(() => [1, 2]),
      toleratedFailures: settings.toleratedFailures,
      storage: settings.storage,
      start: 'zero',
    })
    const count = bucket.blocks.length
    const shape = bucket.shape.length === 1 ? [count, ...bucket.shape, 1] : [count, ...bucket.shape]
    return {
      factors,
      x: factors.input ?? emptyTensor(device, shape),
      rotated: emptyTensor(device, shape),
      first: emptyTensor(device, shape),
      second: emptyTensor(device, shape),
      starts: { first: new Float64Array(count).fill(1), second: new Float64Array(count).fill(1) },
      values: factors.factors.map((factor) =>
        factor && isWhitened ? emptyTensor(device, [count, factor.size]) : undefined,
      ),
    }
  })
  const groups = blocks.map(({ factors }) => factors)
  const solver = basisSolver(settings.update, timing.tolerance)
  const ofGroup = (group: BucketFactors) => blocks.find(({ factors }) => factors === group)!
  const carryMoments = transport((group) => ({ numbers: [ofGroup(group).first], squares: [ofGroup(group).second] }))
  const carried: Transport = (group, factor, run, fresh) => {
    carryMoments(group, factor, run, fresh)
    refreshValues(ofGroup(group).values, factor, run, fresh)
  }
  const scaling = { isCorrected: false, traceExponent: 0 }
  return {
    device,
    plan,
    groups,
    blocks,
    refresher: new Refresher(device, groups, {
      owner: name,
      timing,
      solver,
      scaling,
      transport: carried,
      isEager: true,
    }),
    directions: parameters.map(({ shape }) => zeros(device, elements(shape))),
  }
}

/** Statistics and Adam with the bases as they are; then their refresh, which carries the moments over. */
function update(
  settings: AdamInBasesSettings,
  state: AdamInBasesState,
  gradients: Gradients,
  { step, examples, clock }: RuleContext,
): Gradients {
  const usable = clock.time('apply', () => finiteOnly(state.device, gradients))
  const lists = statisticGradients(state.device, usable, examples)
  const directions = usable.map((gradient, index) => (gradient === null ? null : state.directions[index]!))
  const moved = new Set<number>()
  for (const group of state.blocks) {
    const { blocks } = group.factors.bucket
    if (blocks.every(({ parameter }) => usable[parameter] === null)) continue
    clock.time('statistics', () => takeStatistics(settings, group, usable, lists, step))
    clock.time('apply', () => {
      const isMoving = (index: number) => usable[blocks[index]!.parameter] !== null && isStarted(group.factors, index)
      const moving = blocks.flatMap((block, index) => (isMoving(index) ? [{ block, index }] : []))
      for (const { block } of moving) moved.add(block.parameter)
      scatter(
        group,
        moveInBases(
          settings,
          group,
          moving.map(({ index }) => index),
          step,
        ),
        directions,
      )
    })
  }
  if (state.refresher.mark(step)) {
    clock.time('refresh', () => state.refresher.advance(step, (parameter) => usable[parameter] !== null))
  }
  if (step <= settings.timing.burnIn) return gradients.map(() => null)
  return directions.map((direction, index) => (moved.has(index) ? direction : null))
}

/** Takes the statistics, stacks the gradients and turns them into the bases. */
function takeStatistics(
  settings: AdamInBasesSettings,
  group: BasisGroup,
  usable: Gradients,
  lists: readonly Gradients[],
  step: number,
): void {
  const { factors, x, rotated } = group
  const { blocks } = factors.bucket
  const isTaken = settings.timing.takesStatistics(step)
  const beta = settings.factorBeta(step)
  const stack = (gradients: Gradients) => {
    stackBlocks(factors, gradients)
    if (factors.input === undefined) x.write(factors.stack!)
  }
  if (isTaken) {
    lists.forEach((gradients, index) => {
      stack(gradients)
      const source = settings.isWhitened ? whitened(group) : undefined
      accumulateStatistics(factors, gradients, beta, source, { index, count: lists.length })
    })
  }
  if (!isTaken || lists[0] !== usable) stack(usable)
  intoBases(factors, x, rotated)
  if (!settings.isWhitened || !isTaken) return
  const isMoving = (index: number) => usable[blocks[index]!.parameter] !== null && isStarted(factors, index)
  for (const run of runsOf(blocks.length, isMoving)) averageValues(group, run, beta)
}

/**
 * G R^{-1/2} for the left factor, from the basis and the eigenvalues of the right one, and the other way round; its Gram matrix
 * counts divided by the size of the other side. Blocks without a basis so far take the identity for it.
 */
function whitened({ factors, x, values }: BasisGroup): StatisticSource {
  const { shape, size, blocks } = factors.bucket
  const output = factors.output!
  return (dimension) => {
    const weight = shape[dimension]! / size
    const other = factors.factors[1 - dimension]
    if (other === undefined) return { x, weight }
    const basis = { vectors: other.solved, values: values[other.dimension]! }
    const sides = [dimension === 0 ? null : basis, dimension === 0 ? basis : null] as const
    kronSolve(x, ...sides, { damping: 'none', power: 0.5, out: output })
    withViews((views) => {
      const late = blocks.flatMap((_, index) => (isStarted(factors, index) ? [] : [index * size]))
      copyAll(
        x.device,
        late.map((start) => ({ from: views.of(x, start, size), to: views.of(output, start, size) })),
      )
    })
    return { x: output, weight }
  }
}

/**
 * l_i <- beta l_i + (1 - beta) sum_j Z_ij^2 / (n r_j), Z the gradient in both bases, and likewise for r: what diag(Q^T L Q)
 * becomes while the basis stays.
 */
function averageValues({ factors, rotated, values }: BasisGroup, run: Run, beta: number): void {
  const { shape, size } = factors.bucket
  withViews((views) => {
    const z = views.matrices(rotated, run)
    using scaled = z.device.empty(z.shape)
    using squares = z.device.empty(z.shape)
    const sums = [0, 1].map((dimension) => {
      const own = values[dimension]
      const other = values[1 - dimension]
      if (own === undefined) return undefined
      const side = other === undefined ? null : { values: views.matrices(other, run) }
      kronSolve(z, dimension === 0 ? null : side, dimension === 0 ? side : null, {
        damping: 'none',
        power: 0.5,
        out: scaled,
      })
      kronSquares(scaled, null, null, { into: squares, beta: 0, weight: 1 })
      const inner = z.shape[dimension === 0 ? 2 : 1]!
      using ones = z.device.tensor(new Float32Array(inner).fill(1), [inner, 1])
      return matmul(squares, ones, { transposeA: dimension === 1, alpha: shape[dimension]! / size })
    })
    sums.forEach((sum, dimension) => {
      if (sum === undefined) return
      const into = views.matrices(values[dimension]!, run)
      updateAll(z.device, 'momentum', [{ gradient: sum, m: into, mDecay: beta, mWeight: 1 - beta }])
      sum.dispose()
    })
  })
}

/** Adam on the blocks that move, in their bases; the tensor with the directions of all, zero for the others. */
function moveInBases(
  settings: AdamInBasesSettings,
  { factors, x, rotated, first, second, starts }: BasisGroup,
  moving: readonly number[],
  step: number,
): Tensor {
  const { size, blocks } = factors.bucket
  const [beta1, beta2, epsilon] = [settings.beta1(step), settings.beta2(step), settings.epsilon(step)]
  const isMoving = new Set(moving)
  withViews((views) => {
    const of = (tensor: Tensor, index: number) => views.of(tensor, index * size, size)
    const moves = moving.map((index) => {
      starts.first[index]! *= beta1
      starts.second[index]! *= beta2
      return {
        gradient: of(rotated, index),
        direction: of(rotated, index),
        m: of(first, index),
        mDecay: beta1,
        mWeight: 1 - beta1,
        fromM: 1 / (1 - starts.first[index]!),
        v: of(second, index),
        vDecay: beta2,
        vWeight: 1 - beta2,
        vScale: 1 / (1 - starts.second[index]!),
        epsilon,
      }
    })
    const still = blocks.flatMap((_, index) => (isMoving.has(index) ? [] : [of(rotated, index)]))
    updateAll(x.device, 'adam', moves)
    updateAll(
      x.device,
      'combine',
      still.map((array) => ({ gradient: array, direction: array, fromGradient: 0 })),
    )
  })
  outOfBases(factors, rotated, x)
  return x
}

/** Blocks of a tensor back to their places in the directions. */
function scatter({ factors }: BasisGroup, from: Tensor, directions: Gradients): void {
  const { stack } = factors
  if (stack !== undefined) from.read(stack)
  unstackBlocks(factors, stack ?? from, directions)
}

/** Eigenvalues as diag(P^T A P) of the statistic A in its fresh basis P. */
function refreshValues(values: readonly (Tensor | undefined)[], factor: Factor, run: Run, fresh: Tensor): void {
  const into = values[factor.dimension]
  if (into === undefined) return
  factor.statistic.read(run, (statistics) => {
    using narrow = cast(statistics, 'f32')
    using image = matmul(narrow, fresh)
    using turned = matmul(fresh, image, { transposeA: true })
    const n = factor.size
    const all = turned.data()
    const diagonal = Float32Array.from({ length: (run.to - run.from) * n }, (_, i) => {
      return Math.max(0, all[Math.floor(i / n) * n * n + (i % n) * (n + 1)]!)
    })
    withViews((views) => views.matrices(into, run).write(diagonal))
  })
}

function momentSlots({ factors, first, second, starts, values }: BasisGroup, plan: Plan): readonly Slot[] {
  const prefixes = blockPrefixes(factors, plan)
  const keys = (field: string) => prefixes.map((prefix) => `${prefix}.${field}`)
  return [
    blockSlot(first, keys('first')),
    blockSlot(second, keys('second')),
    ...keys('firstStart').map((key, block) => arraySlot(key, starts.first, block, 1)),
    ...keys('secondStart').map((key, block) => arraySlot(key, starts.second, block, 1)),
    ...values.flatMap((tensor, dimension) =>
      tensor === undefined ? [] : [blockSlot(tensor, keys(`values${dimension}`))],
    ),
  ]
}
