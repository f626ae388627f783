// Inputs that broke somebody: the known killers of other libraries, extreme magnitudes, non-finite elements.
import { identity, zero } from './classical.js'
import {
  type DType,
  diagonal,
  precision,
  rounded,
  scaled,
  symmetric,
  type ZooMatrix,
  type ZooOptions,
} from './matrix.js'
import { fromSpectrum, spectral } from './orthogonal.js'

/** Finite matrices that any eigh must answer within its bounds, whatever their size says. */
export function knownKillers({ dtype, random }: ZooOptions): ZooMatrix[] {
  const { huge, tiny } = precision[dtype]
  return [
    onesWithCorners(64, dtype),
    floatMaxCorners(dtype),
    rounded({ name: '3x3 random (cupy 4847)', n: 3, data: symmetric(3, () => random.normal()) }, dtype),
    scaled(identity(12), 2 ** (dtype === 'f32' ? -139 : -1050), 'denormal identity'),
    rounded({ name: 'denormals', n: 9, data: symmetric(9, () => tiny * random.uniform(-1, 1)) }, dtype),
    rounded({ name: 'largest finite', n: 7, data: symmetric(7, () => huge * random.sign()) }, dtype),
    rounded({ name: 'huge and tiny', n: 10, data: symmetric(10, (i, j) => alternatingScale(i, j, dtype)) }, dtype),
    rounded({ name: 'negative zeros', n: 5, data: diagonal([-0, 1, -0, 2, -0]).map((x) => x || -0) }, dtype),
    lowRankGram(60, 10, { dtype, random }),
    zero(17),
  ]
}

/** pytorch 107082: all ones, corners 1e-5 and 1e5. */
function onesWithCorners(n: number, dtype: DType): ZooMatrix {
  const data = symmetric(n, (i, j) => (i === 0 && j === 0 ? 1e-5 : i === n - 1 && j === n - 1 ? 1e5 : 1))
  return rounded({ name: 'ones with corners (pytorch 107082)', n, data }, dtype)
}

/** cupy 6789: 5 x 5 with +-FLT_MAX, the largest negative normal and -2.2e16. */
function floatMaxCorners(dtype: DType): ZooMatrix {
  const { huge, tiny } = precision[dtype]
  const values = [huge, -huge, -tiny, -2.2e16, 1, 0, huge, -1, tiny, 3, -huge, 0, 2.2e16, -tiny, huge]
  let next = 0
  return rounded({ name: 'float max corners (cupy 6789)', n: 5, data: symmetric(5, () => values[next++]!) }, dtype)
}

/** pytorch 94772 and 105359: Gram matrix of rank much below n, exactly zero directions. */
function lowRankGram(n: number, rank: number, { dtype, random }: ZooOptions): ZooMatrix {
  const x = random.normals(n * rank).map((value, index) => (Math.floor(index / rank) % 3 === 0 ? 0 : value))
  const data = symmetric(n, (i, j) => {
    let sum = 0
    for (let k = 0; k < rank; k++) sum += x[i * rank + k]! * x[j * rank + k]!
    return sum
  })
  return rounded({ name: 'low-rank gram (pytorch 94772)', n, data }, dtype)
}

function alternatingScale(i: number, j: number, dtype: DType): number {
  const exponent = dtype === 'f32' ? 30 : 200
  return 10 ** (((i + j) % 3) * exponent - exponent) * (1 + i * 0.25 - j * 0.125)
}

/** One non-finite element, on the diagonal or off it, each beside an otherwise good matrix. */
export function nonFinite(n: number, { dtype, random }: ZooOptions): ZooMatrix[] {
  const good = fromSpectrum(new Float64Array(n).fill(1), random)
  return [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].flatMap((value) =>
    [
      [0, 0],
      [n - 1, n - 1],
      [n - 1, 0],
    ].map(([i, j]) => {
      const data = good.slice()
      data[i! * n + j!] = value
      data[j! * n + i!] = value
      return rounded({ name: `${value} at (${i}, ${j})`, n, data }, dtype)
    }),
  )
}

/** A positive definite matrix times factors across the range of the dtype. */
export function scaleSweep(n: number, { dtype, random }: ZooOptions): ZooMatrix[] {
  const base = spectral(
    'sweep',
    Array.from({ length: n }, (_, i) => 1 / (i + 1)),
    random,
  )
  const exponents = dtype === 'f32' ? [-120, -80, -40, 0, 40, 80, 120] : [-1000, -500, -100, 0, 100, 500, 1000]
  return exponents.map((e) => rounded(scaled(base, 2 ** e, `scale 2^${e}`), dtype))
}

/** A good matrix made asymmetric by `relative` max|A| in one element. */
export function asymmetric(n: number, relative: number, { dtype, random }: ZooOptions): ZooMatrix {
  const data = fromSpectrum(
    Float64Array.from({ length: n }, (_, i) => 1 + i),
    random,
  )
  const largest = data.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
  data[1]! += relative * largest
  return rounded({ name: `asymmetric ${relative}`, n, data }, dtype)
}
