// A random matrix of any kind that the ops promise an answer for: good ones, singular, indefinite, asymmetric and
// non-finite ones, at any scale.
import { identity, zero } from './classical.js'
import { asymmetric, nonFinite } from './hostile.js'
import { lapackType } from './lapack.js'
import { type DType, rounded, scaled, type ZooMatrix } from './matrix.js'
import { shampooEma } from './optimizer.js'
import type { Random } from './random.js'
import { clustered, dominated, graded, rankDeficient, slightlyIndefinite } from './spectra.js'

/** How many random matrices a test judges: KRONROOT_RANDOM_MATRICES, by default 100,000. */
export const randomMatrices = Number(process.env.KRONROOT_RANDOM_MATRICES ?? 1e5)

export function randomMatrix(n: number, dtype: DType, random: Random): ZooMatrix {
  const options = { dtype, random }
  const condition = 10 ** random.uniform(0, 8)
  const makers: (() => ZooMatrix)[] = [
    () => graded(n, condition, options),
    () => clustered(n, condition, options),
    () => dominated(n, condition, options),
    () => rankDeficient(n, random.integer(1, n), options),
    () => slightlyIndefinite(n, 10 ** random.uniform(-9, -1), options),
    () => shampooEma(n, { ...options, steps: random.pick([1, 5]), columns: random.integer(1, n) }),
    () =>
      shampooEma(n, { ...options, steps: 3, deadRows: random.integer(0, n - 1), outlier: 10 ** random.uniform(0, 4) }),
    () => lapackType(random.pick([3, 4, 8, 9, 13, 16, 17, 18, 21]), n, options),
    () => (n > 1 ? asymmetric(n, 10 ** random.uniform(-9, -1), options) : identity(n)),
    () => identity(n, 10 ** random.uniform(-5, 5)),
    () => zero(n),
    () => random.pick(nonFinite(n, options)),
  ]
  const matrix = random.pick([...makers.slice(0, 8), ...makers])()
  return rounded(scaled(matrix, 2 ** random.integer(-30, 30), matrix.name), dtype)
}
