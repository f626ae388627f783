// Dense positive (semi)definite matrices by their spectrum: what inverse roots are judged on.

import { spectrum } from './lapack.js'
import { type DType, rounded, type ZooMatrix, type ZooOptions } from './matrix.js'
import { spectral } from './orthogonal.js'

/** lambda_max = 1, lambda_min = 1 / condition, geometric in between. */
export function graded(n: number, condition: number, { dtype, random }: ZooOptions): ZooMatrix {
  return named(`graded ${condition.toExponential(0)}`, spectrum('geometric', n, 1 / condition), dtype, random)
}

/** Groups of eigenvalues equal up to ten ulp, the groups geometric from 1 to 1 / condition. */
export function clustered(n: number, condition: number, { dtype, random }: ZooOptions): ZooMatrix {
  const groups = Math.min(4, n)
  const values = Float64Array.from({ length: n }, (_, i) => {
    const group = groups > 1 ? (i % groups) / (groups - 1) : 0
    return condition ** -group * (1 + 10 * 2 ** -23 * random.uniform())
  })
  return named(`clustered ${condition.toExponential(0)}`, values, dtype, random)
}

/** One eigenvalue 1, all others 1 / condition. */
export function dominated(n: number, condition: number, { dtype, random }: ZooOptions): ZooMatrix {
  return named(`dominated ${condition.toExponential(0)}`, spectrum('clustered', n, 1 / condition), dtype, random)
}

/** All eigenvalues 1 but one, 1 / condition. */
export function oneSmall(n: number, condition: number, { dtype, random }: ZooOptions): ZooMatrix {
  const values = new Float64Array(n).fill(1)
  values[n - 1] = 1 / condition
  return named(`one small ${condition.toExponential(0)}`, values, dtype, random)
}

/** `rank` eigenvalues geometric from 1 to 1e-3, the others 0 (up to rounding of the entries). */
export function rankDeficient(n: number, rank: number, { dtype, random }: ZooOptions): ZooMatrix {
  const values = new Float64Array(n)
  values.set(spectrum('geometric', Math.min(rank, n), 1e-3))
  return named(`rank ${rank}`, values, dtype, random)
}

/** Rank deficient, with one eigenvalue at -depth lambda_max: what f32 accumulation leaves of a Gram matrix. */
export function slightlyIndefinite(n: number, depth: number, { dtype, random }: ZooOptions): ZooMatrix {
  const values = spectrum('geometric', n, 1e-3)
  values[n - 1] = -depth
  return named(`indefinite ${depth.toExponential(0)}`, values, dtype, random)
}

function named(name: string, values: Float64Array, dtype: DType, random: ZooOptions['random']): ZooMatrix {
  return rounded(spectral(name, values, random), dtype)
}
