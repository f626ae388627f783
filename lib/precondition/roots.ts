import { checkFields } from '../errors.js'
import { type InverseRootOptions, inverseRoot, rootMethods } from '../linalg/inverse-root.js'
import { matmul } from '../linalg/matmul.js'
import { normEstimate } from '../linalg/norm-estimate.js'
import { reduce } from '../linalg/reduce.js'
import type { Ridge } from '../linalg/ridge.js'
import type { Schedule } from '../schedule/schedule.js'
import { boolean, numberIn, oneOf, optionError } from '../schedule/validate.js'
import type { Tensor } from '../tensor.js'
import { withViews } from './arrays.js'
import type { ExponentOverride } from './exponents.js'
import type { RidgeOption } from './ridge.js'
import type { Solver } from './solver.js'

/** Options of the root solver that are handed through. */
export type RootOptions = Pick<InverseRootOptions, 'method' | 'residualBound' | 'fullResidual' | 'maxIterations'>

/** ERR_OPTION where an option of the root solver is unknown or out of range. */
export function checkRootOptions(owner: string, root: RootOptions): RootOptions {
  const { method, residualBound, fullResidual, maxIterations } = root
  checkFields(`${owner}: root`, root, ['method', 'residualBound', 'fullResidual', 'maxIterations'])
  if (method !== undefined) oneOf(owner, 'root.method', method, rootMethods)
  if (residualBound !== undefined) numberIn(owner, 'root.residualBound', residualBound, { above: 0 })
  if (fullResidual !== undefined) boolean(owner, 'root.fullResidual', fullResidual)
  if (maxIterations !== undefined) numberIn(owner, 'root.maxIterations', maxIterations, { min: 1, integer: true })
  return root
}

/**
 * ERR_OPTION where roots cannot be tested for being still good: that takes exponents 1 / p with p even, whose balanced residual
 * is symmetric, and a ridge that leaves no null space.
 */
export function checkKeepable(
  owner: string,
  tolerance: Schedule | undefined,
  exponents: ExponentOverride,
  ridge: RidgeOption,
): void {
  if (tolerance === undefined || tolerance === 0) return
  const refused = (because: string) =>
    optionError(owner, 'refresh.tolerance', tolerance, `left out, because ${because}`)
  if (typeof ridge === 'object' && 'pseudoInverse' in ridge) throw refused('ridge is a pseudo-inverse')
  const all = Object.values(exponents).flat()
  if (all.some((exponent) => exponent !== 0 && Math.abs(Math.round(0.5 / exponent) - 0.5 / exponent) > 1e-9)) {
    throw refused('exponentOverride has exponents other than 1/2, 1/4, 1/6, ...')
  }
}

/** Roots (C + ridge)^{-e} of factors; what may be kept is limited by {@link checkKeepable}. */
export function rootSolver(
  root: RootOptions,
  ridge: (step: number) => Ridge,
  tolerance: (step: number) => number,
): Solver {
  return {
    solve: ({ exponent }, statistics, solved, step) => {
      const [numerator, denominator] = exponent
      // A^{-a/b} is the inverse root of order p = b / a.
      const p: [number, number] = [denominator, numerator]
      const options = { ...root, p, ridge: ridge(step), out: solved, onFailure: 'keep' } as const
      return {
        now: () => inverseRoot(statistics, options).report,
        later: async () => (await inverseRoot.async(statistics, options)).report,
      }
    },
    stillGood: ({ exponent }, statistics, solved, step) =>
      balancedResiduals(statistics, solved, exponent[1] / exponent[0], ridge(step)).map(
        (residual) => residual <= tolerance(step),
      ),
    divisors: ({ size, exponent }, statistics, step) => {
      const power = exponent[0] / exponent[1]
      return statistics.map((value, index) => {
        const first = index - (index % size)
        const own = statistics.subarray(first, first + size)
        return diagonalDivisor(value, own, ridge(step), power)
      })
    },
  }
}

/** A divisor that leaves nothing of an fp32 number. */
const DROPPED = 3e38

/** (c + ridge)^e. */
function diagonalDivisor(value: number, all: Float32Array, ridge: Ridge, power: number): number {
  if (ridge === 'none') return value ** power
  const largest = () => all.reduce((most, other) => Math.max(most, other), 0)
  if ('absolute' in ridge) return (value + ridge.absolute) ** power
  if ('relative' in ridge) return (value + ridge.relative * largest()) ** power
  if ('trace' in ridge)
    return (value + (ridge.trace * all.reduce((sum, other) => sum + other, 0)) / all.length) ** power
  return value <= Math.max(ridge.pseudoInverse, all.length * 2 ** -23) * largest() ? DROPPED : value ** power
}

/**
 * |W z - z| / |z|, W = X^{p/2} (A + epsilon I) X^{p/2}, for a fixed sign vector z: how far roots of an earlier statistic are
 * from whitening the present one. p + 1 products of matrix and vector.
 */
function balancedResiduals(statistics: Tensor, roots: Tensor, p: number, ridge: Ridge): readonly number[] {
  const [count, n] = statistics.shape as [number, number]
  const { device } = statistics
  const epsilon = ridges(statistics, ridge)
  const signs = Float32Array.from({ length: count * n }, (_, i) => (((i * 2654435761) >>> 16) % 2 === 0 ? 1 : -1))
  const z = device.tensor(signs, [count, n, 1])
  const used = [z]
  const times = (matrix: Tensor, vector: Tensor) => {
    const product = matmul(matrix, vector)
    used.push(product)
    return product
  }
  try {
    let w: Tensor = z
    for (let i = 0; i < p / 2; i++) w = times(roots, w)
    const image = times(statistics, w).data()
    const before = w.data()
    const shifted = image.map((value, i) => value + epsilon[Math.floor(i / n)]! * before[i]!)
    w = device.tensor(shifted as Float32Array, [count, n, 1])
    used.push(w)
    for (let i = 0; i < p / 2; i++) w = times(roots, w)
    const after = w.data()
    return Array.from({ length: count }, (_, block) => {
      let sum = 0
      for (let i = block * n; i < (block + 1) * n; i++) sum += (after[i]! - signs[i]!) ** 2
      return Math.sqrt(sum / n)
    })
  } finally {
    for (const tensor of used) tensor.dispose()
  }
}

/** epsilon of every matrix; of a pseudo-inverse 0. */
function ridges(statistics: Tensor, ridge: Ridge): readonly number[] {
  const [count, n] = statistics.shape as [number, number]
  const all = (value: number) => new Array<number>(count).fill(value)
  if (ridge === 'none' || 'pseudoInverse' in ridge) return all(0)
  if ('absolute' in ridge) return all(ridge.absolute)
  if ('trace' in ridge) return traces(statistics).map((trace) => (ridge.trace * trace) / n)
  const { value } = normEstimate(statistics, { kind: 'spectral-lower' })
  const norms = Array.from(value.data(), (norm) => ridge.relative * norm)
  value.dispose()
  return norms
}

/** Trace of every matrix of a stack, [count, n, n] or the diagonals [count, n, 1], in one native call. */
export function traces(statistics: Tensor): readonly number[] {
  const [count, n, columns] = statistics.shape as [number, number, number]
  const size = n * columns
  const isFull = columns === n
  const { device, dtype } = statistics
  const diagonal = dtype === 'f64' ? new Float64Array(size) : new Float32Array(size)
  for (let i = 0; i < size; i++) diagonal[i] = !isFull || i % (n + 1) === 0 ? 1 : 0
  using ones = device.tensor(diagonal, [size])
  return withViews((views) => {
    const places = Array.from({ length: count }, (_, block) => ({
      x: views.of(statistics, block * size, size),
      y: ones,
    }))
    return Array.from(reduce(device, 'dot', places))
  })
}
