// The 21 symmetric test types of LAPACK (TESTING/EIG/dchkst.f, "Test matrices"), written from that description.
//
//    1 zero                      2 identity
//    3, 4, 5 diagonal; spectrum 1 ... ulp arithmetic, geometric, clustered (1, ulp, ..., ulp), random signs
//    6, 7    type 4 scaled near sqrt(overflow), sqrt(underflow)
//    8, 9, 10 U^T D U with the spectra of 3, 4, 5
//   11, 12   type 8 scaled near sqrt(overflow), sqrt(underflow)
//   13 random in (-1, 1); 14, 15 scaled
//   16, 17, 18 as 8, 9, 10 with positive spectra; 19, 20 type 16 scaled
//   21 diagonally dominant tridiagonal, diagonal 1 ... ulp geometric
import { diagonal, precision, rounded, scaled, symmetric, type ZooMatrix, type ZooOptions } from './matrix.js'
import { spectral } from './orthogonal.js'
import type { Random } from './random.js'

export const lapackTypes: readonly number[] = Array.from({ length: 21 }, (_, i) => i + 1)

export type Distribution = 'arithmetic' | 'geometric' | 'clustered'

/** Positive spectra from 1 down to `smallest`. */
export function spectrum(distribution: Distribution, n: number, smallest: number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => {
    const t = n > 1 ? i / (n - 1) : 0
    if (distribution === 'arithmetic') return 1 - t * (1 - smallest)
    if (distribution === 'geometric') return smallest ** t
    return i === 0 ? 1 : smallest
  })
}

const withRandomSigns = (values: Float64Array, random: Random) => values.map((x) => x * random.sign())

/** Type 21: off-diagonal entries of at most half the geometric mean of their diagonal neighbours. */
function diagonallyDominant(n: number, ulp: number, random: Random): Float64Array {
  const d = spectrum('geometric', n, ulp)
  return symmetric(n, (i, j) => {
    if (i === j) return d[i]!
    return i === j + 1 ? 0.5 * random.uniform(-1, 1) * Math.sqrt(d[i]! * d[j]!) : 0
  })
}

/** Type 1..21 of size n. */
export function lapackType(type: number, n: number, { dtype, random }: ZooOptions): ZooMatrix {
  const { ulp, rootHuge, rootTiny } = precision[dtype]
  const name = `lapack ${type}`
  const huge = rootHuge / Math.max(1, n)
  const small = rootTiny * Math.max(1, n)
  const signed = (distribution: Distribution) => withRandomSigns(spectrum(distribution, n, ulp), random)
  const diagonalOf = (values: Float64Array) => ({ name, n, data: diagonal(values), spectrum: values.slice().sort() })
  const uniform = () => ({ name, n, data: symmetric(n, () => random.uniform(-1, 1)) })
  const arithmetic = () => spectrum('arithmetic', n, ulp)

  const build: Record<number, () => ZooMatrix> = {
    1: () => diagonalOf(new Float64Array(n)),
    2: () => diagonalOf(new Float64Array(n).fill(1)),
    3: () => diagonalOf(signed('arithmetic')),
    4: () => diagonalOf(signed('geometric')),
    5: () => diagonalOf(signed('clustered')),
    6: () => scaled(diagonalOf(signed('geometric')), huge, name),
    7: () => scaled(diagonalOf(signed('geometric')), small, name),
    8: () => spectral(name, signed('arithmetic'), random),
    9: () => spectral(name, signed('geometric'), random),
    10: () => spectral(name, signed('clustered'), random),
    11: () => scaled(spectral(name, signed('arithmetic'), random), huge, name),
    12: () => scaled(spectral(name, signed('arithmetic'), random), small, name),
    13: uniform,
    14: () => scaled(uniform(), huge, name),
    15: () => scaled(uniform(), small, name),
    16: () => spectral(name, arithmetic(), random),
    17: () => spectral(name, spectrum('geometric', n, ulp), random),
    18: () => spectral(name, spectrum('clustered', n, ulp), random),
    19: () => scaled(spectral(name, arithmetic(), random), huge, name),
    20: () => scaled(spectral(name, arithmetic(), random), small, name),
    21: () => ({ name, n, data: diagonallyDominant(n, ulp, random) }),
  }
  const make = build[type]
  if (!make) throw new RangeError(`LAPACK has symmetric types 1 to 21, not ${type}`)
  return rounded(make(), dtype)
}
