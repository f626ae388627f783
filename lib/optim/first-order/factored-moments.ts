import type { Device } from '../../device.js'
import { kronSolve } from '../../linalg/kron-solve.js'
import { matmul } from '../../linalg/matmul.js'
import {
  copyAll,
  disposeArrays,
  held,
  type ParameterArray,
  reserve,
  type Views,
  withViews,
} from '../../precondition/arrays.js'
import { elements } from '../../precondition/plan.js'
import type { Tensor } from '../../tensor.js'
import { updateAll } from '../elementwise.js'
import type { ParameterSpec } from '../rule.js'
import { blockSlot, type Slot } from '../slots.js'

/** Matrices of one shape in one stack: the last two dimensions of parameters that have `each` of them. */
export interface FactoredBucket {
  readonly rows: number
  readonly columns: number
  readonly each: number
  /** Indices of the parameters, in the order of the stack. */
  readonly members: readonly number[]
  /** R: averages of the squares' means along the rows, [count, rows]. */
  readonly rowMeans: Tensor
  /** C: the same along the columns, [count, columns]. */
  readonly columnMeans: Tensor
  /** What need not outlive a step. */
  readonly work: Work
}

interface Work {
  /** Squares, then gradients, then directions; of absent parameters whatever was left there. [count, rows, columns] */
  readonly stack: Tensor
  /** Means of the step along the rows, then R over its mean. [count, rows] */
  readonly rows: Tensor
  /** Means of the step along the columns. [count, columns] */
  readonly columns: Tensor
  /** Mean of R, [count, 1], and that number again for every row, [count, rows]. */
  readonly mean: Tensor
  readonly spread: Tensor
  /** [max(rows, columns)] */
  readonly ones: Tensor
  /** [count max(rows, columns)] */
  readonly epsilons: Tensor
}

/** Buckets of the parameters that `isFactored` lets through: they have two dimensions or more, and elements. */
export function factoredBuckets(
  device: Device,
  parameters: readonly ParameterSpec[],
  isFactored: (spec: ParameterSpec) => boolean,
  epsilon: number,
): readonly FactoredBucket[] {
  const members = new Map<string, number[]>()
  parameters.forEach((spec, index) => {
    if (!isFactored(spec)) return
    const key = [elements(spec.shape.slice(0, -2)), ...spec.shape.slice(-2)].join('x')
    members.set(key, [...(members.get(key) ?? []), index])
  })
  const filled = (value: number, ...shape: number[]) => {
    reserve(4 * elements(shape))
    return held(device.tensor(new Float32Array(elements(shape)).fill(value), shape))
  }
  return [...members].map(([key, indices]) => {
    const [each, rows, columns] = key.split('x').map(Number) as [number, number, number]
    const count = each * indices.length
    const most = Math.max(rows, columns)
    return {
      rows,
      columns,
      each,
      members: indices,
      rowMeans: filled(0, count, rows),
      columnMeans: filled(0, count, columns),
      work: {
        stack: filled(0, count, rows, columns),
        rows: filled(0, count, rows),
        columns: filled(0, count, columns),
        mean: filled(0, count, 1),
        spread: filled(0, count, rows),
        ones: filled(1, most),
        epsilons: filled(epsilon, count * most),
      },
    }
  })
}

/** A parameter that has a gradient, with the decay of its second moment. */
export interface FactoredGradient {
  readonly gradient: ParameterArray
  readonly decay: number
  /** Gets the gradient over the root of the second moment. */
  readonly direction: ParameterArray
}

/**
 * One step of factored second moments:
 *
 *     R_i <- decay R_i + (1 - decay) mean_j(g_ij^2 + epsilon)     C_j <- decay C_j + (1 - decay) mean_i(g_ij^2 + epsilon)
 *     direction_ij = g_ij / sqrt(R_i C_j / mean(R))
 *
 * The rank-one second moment is a Kronecker product of two diagonals.
 *
 * Source: Shazeer and Stern, arXiv 1804.04235, algorithm 4.
 */
export function factoredStep(
  device: Device,
  buckets: readonly FactoredBucket[],
  gradientOf: (parameter: number) => FactoredGradient | undefined,
): void {
  withViews((views) => {
    const placed = buckets.flatMap((bucket) => places(bucket, gradientOf, views))
    if (placed.length === 0) return
    const squares = placed.map(({ gradient, stack }) => {
      return { gradient, m: gradient, fromGradient: 1, direction: stack }
    })
    updateAll(device, 'product', squares)
    averageSquares(device, buckets, placed, views)
    divideByMean(device, buckets, views)
    copyAll(
      device,
      placed.map(({ gradient, stack }) => ({ from: gradient, to: stack })),
    )
    for (const { work, columnMeans } of buckets) {
      const options = { power: 0.5, damping: 'none', out: work.stack } as const
      kronSolve(work.stack, { values: work.rows }, { values: columnMeans }, options)
    }
    copyAll(
      device,
      placed.map(({ stack, direction }) => ({ from: stack, to: direction })),
    )
  })
}

/** A parameter with a gradient, and where its matrices lie in the stack. */
interface Placed extends FactoredGradient {
  readonly stack: ParameterArray
  /** Its part of R and of C, and of their means in this step. */
  readonly means: readonly { readonly kept: ParameterArray; readonly now: ParameterArray }[]
}

function places(
  { rows, columns, each, members, rowMeans, columnMeans, work }: FactoredBucket,
  gradientOf: (parameter: number) => FactoredGradient | undefined,
  views: Views,
): readonly Placed[] {
  return members.flatMap((parameter, position) => {
    const own = gradientOf(parameter)
    if (own === undefined) return []
    const part = (tensor: Tensor, size: number) => views.of(tensor, position * each * size, each * size)
    const means = [
      { kept: part(rowMeans, rows), now: part(work.rows, rows) },
      { kept: part(columnMeans, columns), now: part(work.columns, columns) },
    ]
    return [{ ...own, stack: part(work.stack, rows * columns), means }]
  })
}

/** R and C of the parameters that are there. */
function averageSquares(
  device: Device,
  buckets: readonly FactoredBucket[],
  placed: readonly Placed[],
  views: Views,
): void {
  const epsilons = buckets.flatMap(({ work }) =>
    [work.rows, work.columns].map((to) => ({ from: views.of(work.epsilons, 0, to.size), to })),
  )
  copyAll(device, epsilons)
  for (const { rows, columns, work } of buckets) {
    const count = work.stack.shape[0]!
    withShapes((shaped) => {
      const out = shaped(work.rows, [count, rows, 1])
      matmul(work.stack, shaped(work.ones, [1, columns, 1]), { alpha: 1 / columns, beta: 1, out })
      const below = shaped(work.columns, [count, 1, columns])
      matmul(shaped(work.ones, [1, 1, rows]), work.stack, { alpha: 1 / rows, beta: 1, out: below })
    })
  }
  const moments = placed.flatMap(({ means, decay }) =>
    means.map(({ kept, now }) => ({ gradient: now, m: kept, mDecay: decay, mWeight: 1 - decay })),
  )
  updateAll(device, 'momentum', moments)
}

/** The smallest normal number: it keeps an R that was never written from being 0 / 0. */
const TINY = 2 ** -126

/** R over its mean, for all matrices. */
function divideByMean(device: Device, buckets: readonly FactoredBucket[], views: Views): void {
  for (const { rows, rowMeans, work } of buckets) {
    const count = work.stack.shape[0]!
    withShapes((shaped) => {
      const mean = shaped(work.mean, [count, 1, 1])
      const row = shaped(rowMeans, [count, 1, rows])
      matmul(row, shaped(work.ones, [1, rows, 1]), { alpha: 1 / rows, out: mean })
      matmul(mean, shaped(work.ones, [1, 1, rows]), { out: shaped(work.spread, [count, 1, rows]) })
    })
  }
  const quotients = buckets.map(({ rowMeans, work }) => ({
    gradient: rowMeans,
    fromGradient: 1,
    v: views.of(work.spread, 0, work.spread.size),
    vScale: 1,
    epsilon: TINY,
    direction: work.rows,
  }))
  updateAll(device, 'quotient', quotients)
}

/** Runs `work` with a function that gives the first elements of a tensor another shape; what it gave ends with it. */
function withShapes(work: (shaped: (tensor: Tensor, shape: readonly number[]) => Tensor) => void): void {
  const made: Tensor[] = []
  try {
    work((tensor, shape) => {
      const view = tensor.device.wrap(tensor.pointer, shape)
      made.push(view)
      return view
    })
  } finally {
    disposeArrays(made)
  }
}

/** R and C of every parameter. */
export function factoredSlots(bucket: FactoredBucket, parameters: readonly ParameterSpec[]): readonly Slot[] {
  const names = bucket.members.map((parameter) => parameters[parameter]!.name)
  return (['rowMeans', 'columnMeans'] as const).map((field) =>
    blockSlot(
      bucket[field],
      names.map((name) => `${name}/${field}`),
    ),
  )
}

/** What a bucket holds. */
export function factoredTensors({ rowMeans, columnMeans, work }: FactoredBucket): readonly Tensor[] {
  return [rowMeans, columnMeans, ...Object.values(work)]
}
