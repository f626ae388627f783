import { checkFields, KronrootError } from '../../errors.js'
import { matmul } from '../../linalg/matmul.js'
import { elements } from '../../precondition/plan.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn, optionError } from '../../schedule/validate.js'
import type { Tensor } from '../../tensor.js'
import { updateAll } from '../elementwise.js'
import { type FilterState, gradientFilter } from '../filter.js'
import { callback, type HessianVector } from '../oracle.js'
import type { ParameterSpec, Rule } from '../rule.js'
import { arraySlot } from '../slots.js'
import { TensorPool } from '../tensor-pool.js'
import { groupPlan } from './group-plan.js'
import { GroupSpace, type GroupVector } from './group-space.js'
import { Hutchinson } from './hutchinson.js'

/** Options of {@link adaHessian}. */
export interface AdaHessianOptions {
  /** The Hessian times vectors. */
  readonly hessianVector: HessianVector
  /** Decay of the gradient's average, 0 <= beta1 < 1. Default 0.9. */
  readonly beta1?: Schedule
  /** Decay of the squared diagonals' average, 0 <= beta2 < 1. Default 0.999. */
  readonly beta2?: Schedule
  /** Added to the root, >= 0. Default 1e-8. */
  readonly epsilon?: Schedule
  /**
   * Elements b over which the diagonal is averaged, in storage order: a number that divides every parameter, or `kernel`
   * (default), the dimensions of a parameter from the third on; 1 for matrices and vectors.
   */
  readonly average?: number | 'kernel'
  /** Steps between estimates of the diagonal, an integer >= 1. Default 1. */
  readonly every?: number
  /** Seed of the probes, an integer. Default 0. */
  readonly seed?: number
}

/** Parameters whose diagonals are averaged over b elements, stacked [elements / b, b]. */
interface Averaging {
  readonly block: number
  readonly samples: Tensor
  readonly averages: Tensor
  /** [b, b] of 1 / b */
  readonly mean: Tensor
}

/** State of {@link adaHessian}. */
export interface AdaHessianState {
  readonly space: GroupSpace
  readonly pool: TensorPool
  readonly filter: FilterState
  readonly hutchinson: Hutchinson
  readonly second: GroupVector
  readonly direction: GroupVector
  /** Where the estimate of each parameter goes, and where it is after averaging. */
  readonly samples: readonly Tensor[]
  readonly averages: readonly Tensor[]
  readonly stacks: readonly Averaging[]
  /** Product of all beta2 so far, by parameter. */
  readonly startWeights: Float64Array
}

/**
 * AdaHessian: Adam with the diagonal of the Hessian in place of the gradient under the root,
 *
 *     h = mean over b elements of z o (H z)              z of random signs
 *     m <- beta1 m + (1 - beta1) g,   v <- beta2 v + (1 - beta2) h^2
 *     D = m' / (sqrt(v') + epsilon)                      both corrected for their start at zero
 *
 * (Hessian power 1.) The Hessian couples all parameters of a group; probes of those without a gradient are 0. Between
 * estimates, `every` steps apart, v stays. State: 2 numbers an element. A step: one Hessian-vector product, elementwise calls,
 * and a matmul for each b other than 1.
 *
 * Source: Yao et al., arXiv 2006.00719, algorithm 1.
 */
export function adaHessian(options: AdaHessianOptions): Rule<AdaHessianState> {
  const owner = 'adaHessian'
  checkFields(owner, options, ['hessianVector', 'beta1', 'beta2', 'epsilon', 'average', 'every', 'seed'])
  const hessianVector = callback(owner, 'hessianVector', options.hessianVector)
  const beta1 = options.beta1 ?? 0.9
  const filter = gradientFilter(owner, beta1, beta1, true)
  const beta2 = hyperparameter(owner, 'beta2', options.beta2 ?? 0.999, { min: 0, below: 1 })
  const epsilon = hyperparameter(owner, 'epsilon', options.epsilon ?? 1e-8, { min: 0 })
  const average = checkedAverage(owner, options.average ?? 'kernel')
  const every = numberIn(owner, 'every', options.every ?? 1, { min: 1, integer: true })
  const seed = numberIn(owner, 'seed', options.seed ?? 0, { integer: true })
  return {
    name: owner,
    needsValues: true,
    init: (parameters, device) => {
      const blocks = parameters.map((spec) => blockOf(owner, spec, average))
      const space = new GroupSpace(parameters, device)
      const pool = new TensorPool(device)
      return {
        space,
        pool,
        filter: filter.init(parameters, device),
        hutchinson: new Hutchinson(space, seed),
        second: space.vector(),
        direction: space.vector(),
        ...createAveraging(pool, parameters, blocks),
        startWeights: new Float64Array(parameters.length).fill(1),
      }
    },
    update: (gradients, state, context) => {
      const { space, second, direction, averages, startWeights } = state
      const { step, clock } = context
      const isNew = gradients.some((gradient, index) => gradient !== null && startWeights[index] === 1)
      clock.time('statistics', () => {
        if (!isNew && (step - 1) % every !== 0) return
        state.hutchinson.sample(owner, hessianVector, gradients, context, { parts: state.samples })
        for (const { samples, averages: into, mean } of state.stacks) matmul(samples, mean, { out: into })
        const decay = beta2(step)
        const entries = second.parts.map((v, index) => {
          if (!gradients[index]) return null
          startWeights[index]! *= decay
          return { gradient: averages[index]!, v, vDecay: decay, vWeight: 1 - decay }
        })
        updateAll(space.device, 'adam', entries)
      })
      const filtered = filter.update(gradients, state.filter, step)
      clock.time('apply', () => {
        const entries = filtered.map((gradient, index) => {
          if (gradient === null) return null
          const vScale = 1 / (1 - startWeights[index]!)
          const from = { fromGradient: 1, vDecay: 1, vScale, epsilon: epsilon(step) }
          return { gradient, v: second.parts[index]!, direction: direction.parts[index]!, ...from }
        })
        updateAll(space.device, 'adam', entries)
      })
      return space.directions(direction, filtered)
    },
    describe: ({ space, pool, filter: { parameters }, hutchinson, stacks }) =>
      groupPlan(owner, space, {
        flopsPerStep: 16 * space.size + stacks.reduce((sum, { block, samples }) => sum + 2 * block * samples.size, 0),
        bytes: pool.bytes + hutchinson.bytes + (parameters.length === 0 ? 0 : 8 * space.size),
        ...(stacks.length === 0
          ? {}
          : { matrix: { shape: stacks[0]!.samples.shape, kernels: ['matmul'], calls: stacks.length } }),
      }),
    slots: ({ space, filter: state, second, startWeights }) => [
      ...filter.slots(state),
      ...space.slots('second', second),
      ...space.parameters.map(({ name }, index) => arraySlot(`${name}/secondStart`, startWeights, index, 1)),
    ],
    report: () => [],
    dispose: ({ space, pool, filter: state }) => {
      space.dispose()
      pool.dispose()
      filter.dispose(state)
    },
  }
}

function checkedAverage(owner: string, average: number | 'kernel'): number | 'kernel' {
  if (average === 'kernel' || (Number.isInteger(average) && average >= 1)) return average
  throw optionError(owner, 'average', average, `an integer >= 1 or 'kernel'`)
}

function blockOf(owner: string, { name, shape }: ParameterSpec, average: number | 'kernel'): number {
  if (average === 'kernel') return Math.max(1, elements(shape.slice(2)))
  if (elements(shape) % average === 0) return average
  throw new KronrootError(
    'ERR_SHAPE',
    `${owner}: average (${average}) does not divide ${name}, shape [${shape.join(', ')}]`,
  )
}

/** One stack for each b; with b = 1 the samples are the averages. */
function createAveraging(
  pool: TensorPool,
  parameters: readonly ParameterSpec[],
  blocks: readonly number[],
): Pick<AdaHessianState, 'samples' | 'averages' | 'stacks'> {
  const samples: Tensor[] = []
  const averages: Tensor[] = []
  const stacks = [...new Set(blocks)].flatMap((block) => {
    const members = parameters.map((_, index) => index).filter((index) => blocks[index] === block)
    const sizes = members.map((index) => elements(parameters[index]!.shape))
    const rows = sizes.reduce((sum, size) => sum + size, 0) / block
    const stacked = () => pool.ragged([rows, block], sizes)
    const from = stacked()
    const to = block === 1 ? from : stacked()
    members.forEach((index, position) => {
      samples[index] = from.parts[position]!
      averages[index] = to.parts[position]!
    })
    if (block === 1) return []
    const mean = pool.zeros([block, block])
    mean.write(new Float32Array(block * block).fill(1 / block))
    return [{ block, samples: from.tensor, averages: to.tensor, mean }]
  })
  return { samples, averages, stacks }
}
