import { checkFields, KronrootError } from '../../errors.js'
import type { OrthogonalizeOptions } from '../../linalg/orthogonalize.js'
import { reduce } from '../../linalg/reduce.js'
import { raiseWhereExhausted } from '../../precondition/recovery.js'
import type { Schedule } from '../../schedule/schedule.js'
import { oneOf } from '../../schedule/validate.js'
import { countElements } from '../describe.js'
import { updateAll } from '../elementwise.js'
import type { Gradients, ParameterSpec, Rule, RulePlan } from '../rule.js'
import { embeddingPairs, linearPairs, signPairs } from './dual-maps.js'
import { type AverageState, gradientAverage } from './gradient-average.js'
import { ITERATION_FIELDS, type IterationOptions, iterationFlops, iterationOf } from './iteration.js'
import { matrixLayout } from './matrix-blocks.js'
import { type ModularParameter, type ModuleTree, modularScales } from './module-tree.js'
import { toleratedFailuresOf } from './orthogonal-rule.js'
import {
  createStacks,
  type MatrixStacks,
  planOfStacks,
  reportStacks,
  stackBytes,
  stackSlots,
  unstackAnswers,
} from './stacks.js'

/** Options of {@link modularNorm}. */
export interface ModularNormOptions extends IterationOptions {
  /** The network. It names every parameter of the group once, with its role; others that it names stay as they are. */
  readonly modules: ModuleTree
  /**
   * `dual-norm` (default): the step of steepest descent, whose length is the dual norm of all gradients; `unit`: of modular
   * norm 1 whatever the gradients.
   */
  readonly length?: 'dual-norm' | 'unit'
  /** Decay of the average that takes the place of the gradient, 0 <= momentum < 1. Default 0. */
  readonly momentum?: Schedule
  /** Default `polar`, exact. */
  readonly method?: OrthogonalizeOptions['method']
  /** Which dimension of a weight counts its outputs, as in `muon`. Default `first`. */
  readonly outputs?: 'first' | 'last'
  /** What of an embedding table belongs to one token. Default `rows`: [tokens, width]. */
  readonly embeddings?: 'rows' | 'columns'
  /** Consecutive failures of one matrix without an error. Default 3. */
  readonly toleratedFailures?: number
}

/** State of {@link modularNorm}. */
export interface ModularNormState {
  readonly parameters: readonly ParameterSpec[]
  readonly average: AverageState
  /** Factors s of the parameters. */
  readonly scales: readonly number[]
  readonly linear: MatrixStacks
  readonly embeddings: MatrixStacks
  /** Indices of the vectors. */
  readonly vectors: readonly number[]
}

type Family = 'linear' | 'embedding' | 'vector'

const familyOf = ({ role }: ModularParameter): Family => {
  if (role === 'embedding') return 'embedding'
  return role === 'bias' || role === 'norm' ? 'vector' : 'linear'
}

/**
 * Steepest descent under the modular norm |W| = max_l s_l |W_l|_l of a network:
 *
 *     D_l = (eta / s_l) T_l,   T_l = argmax_{|T|_l = 1} <G_l, T>,   eta = sum_k |G_k|*_k / s_k
 *
 * with the norm of a parameter by its role:
 *
 *     hidden, input, head   operator norm from RMS to RMS   T = sqrt(out / in) U V^T,  |G|* = sqrt(out / in) |G|_nuclear
 *     embedding             from l1 to RMS                  each token's vector with RMS 1,  |G|* = sqrt(width) sum of norms
 *     bias, norm            largest entry                   T = sign(G),  |G|* = l1 norm
 *
 * The factors s_l come from the masses and sensitivities of a tree of modules, see {@link modularScales}; with masses fixed,
 * learning rates carry over between widths and depths. `length: 'unit'` leaves eta out. The directions of a group depend on
 * each other through eta. State: 1 fp32 number an element.
 *
 * Source: Bernstein and Newhouse, arXiv 2409.20325, definition of the modular norm and proposition on its steepest descent;
 * Large et al., arXiv 2405.14813.
 */
export function modularNorm(options: ModularNormOptions): Rule<ModularNormState> {
  const owner = 'modularNorm'
  const own = ['modules', 'length', 'momentum', 'outputs', 'embeddings', 'toleratedFailures']
  checkFields(owner, options, [...ITERATION_FIELDS, ...own])
  const modules = modularScales(owner, options.modules)
  const isUnit = oneOf(owner, 'length', options.length ?? 'dual-norm', ['dual-norm', 'unit']) === 'unit'
  const iteration = iterationOf(owner, options, 'polar')
  const average = gradientAverage(owner, { momentum: options.momentum ?? 0 }, { momentum: 0, nesterov: false })
  const toleratedFailures = toleratedFailuresOf(owner, options)
  const embeddings = oneOf(owner, 'embeddings', options.embeddings ?? 'rows', ['rows', 'columns'])
  const layouts = {
    linear: matrixLayout(owner, { outputs: options.outputs ?? 'first' }),
    embedding: matrixLayout(owner, { outputs: embeddings === 'rows' ? 'first' : 'last' }),
  }
  return {
    name: owner,
    init: (parameters, device) => {
      checkNames(parameters, modules)
      const family = parameters.map(({ name }) => familyOf(modules.get(name)!))
      const stacksOf = (wanted: 'linear' | 'embedding') =>
        createStacks(
          only(parameters, (index) => family[index] === wanted),
          device,
          {
            layout: layouts[wanted],
            toleratedFailures,
          },
        )
      return {
        parameters,
        linear: stacksOf('linear'),
        embeddings: stacksOf('embedding'),
        vectors: parameters.flatMap((_, index) => (family[index] === 'vector' ? [index] : [])),
        scales: parameters.map(({ name }) => modules.get(name)!.scale),
        average: average.init(parameters, device),
      }
    },
    update: (gradients, state, { clock, step }) => {
      const sources = clock.time('statistics', () => average.advance(gradients, state.average, step))
      const directions = clock.time('apply', () => descend(state, sources, iteration, isUnit))
      raiseWhereExhausted(
        owner,
        state.linear.stacks.map(({ ledger }) => ledger),
      )
      return directions
    },
    describe: (state) => describeModular(state, iteration),
    slots: (state) => [...average.slots(state.average), ...stackSlots(state.linear)],
    report: ({ linear }) => reportStacks(linear),
    dispose: (state) => {
      average.dispose(state.average)
      state.linear.pool.dispose()
      state.embeddings.pool.dispose()
    },
  }
}

function checkNames(parameters: readonly ParameterSpec[], modules: ReadonlyMap<string, ModularParameter>): void {
  const missing = parameters.flatMap(({ name }) => (modules.has(name) ? [] : [name]))
  if (missing.length === 0) return
  throw new KronrootError(
    'ERR_OPTION',
    `modularNorm: modules must name every parameter, got none of ${missing.join(', ')}`,
  )
}

/** The parameters with the others without elements: those are in no stack, and indices stay. */
function only(parameters: readonly ParameterSpec[], isIn: (index: number) => boolean): readonly ParameterSpec[] {
  return parameters.map((spec, index) => (isIn(index) ? spec : { ...spec, shape: [0, 0] }))
}

function descend(
  { average, scales, linear, embeddings, vectors }: ModularNormState,
  sources: Gradients,
  iteration: OrthogonalizeOptions,
  isUnit: boolean,
): Gradients {
  const { device, parameters } = average
  const own = parameters.map(({ direction }) => direction)
  const { pairs: matrices, failed } = linearPairs(linear, sources, iteration)
  const pairs = [
    ...matrices,
    ...embeddingPairs(device, embeddings, sources),
    ...signPairs(device, vectors, sources, own),
  ]
  const directions = sources.map((source, index) => (source === null || failed.has(index) ? null : own[index]!))
  if (pairs.length === 0) return directions
  const products = reduce(
    device,
    'dot',
    pairs.map(({ x, t }) => ({ x, y: t })),
  )
  const dual = pairs.reduce(
    (sum, { parameter, factor }, index) => sum + (factor * products[index]!) / scales[parameter]!,
    0,
  )
  const eta = isUnit ? 1 : dual
  updateAll(
    device,
    'combine',
    pairs.map(({ parameter, t, factor }) => ({
      gradient: t,
      direction: t,
      fromGradient: (eta * factor) / scales[parameter]!,
    })),
  )
  unstackAnswers(linear, directions)
  unstackAnswers(embeddings, directions)
  return directions
}

const EMBEDDING_KERNELS = ['kronSquares', 'matmul', 'kronSolve']

function describeModular(
  { parameters, linear, embeddings }: ModularNormState,
  iteration: OrthogonalizeOptions,
): RulePlan {
  const total = countElements(parameters)
  return {
    rule: 'modularNorm',
    parameters: parameters.length,
    elements: total,
    buckets: [
      ...planOfStacks(linear, [`orthogonalize (${iteration.method})`]),
      ...planOfStacks(embeddings, EMBEDDING_KERNELS),
    ],
    // Average and direction, and the stacks.
    bytes: 8 * total + stackBytes(linear) + stackBytes(embeddings),
    flopsPerStep: linear.stacks.reduce(
      (sum, { rows, columns, bucket }) => sum + bucket.blocks.length * iterationFlops(rows, columns, iteration),
      9 * total,
    ),
    flopsPerRefresh: 0,
    nativeCallsPerStep: linear.stacks.length + EMBEDDING_KERNELS.length * embeddings.stacks.length,
    nativeCallsPerRefresh: 0,
  }
}
