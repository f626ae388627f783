// No silent miss: random matrices, sizes, roots, ridges and methods. Every answer that claims success is within
// "100 n ulp condition" of the exact one, and every failure is one that the header names for that input.
import { afterAll, describe, expect, it } from 'vitest'
import { eigh, inverseRoot, open, rootMethods } from '../../lib/index.js'
import { randomMatrices, randomMatrix } from '../matrices/random-matrix.js'
import { type DType, precision, Random, relativeError, typed, type ZooMatrix } from '../matrices/zoo.js'
import { devices } from './devices.js'
import { item, stacked, takesRoot } from './oracle.js'

const roots: readonly (number | [number, number])[] = [1, 2, 3, 4, 8, [4, 3], [3, 2], -2]
const exponentOf = (p: number | [number, number]) => (typeof p === 'number' ? -1 / p : -p[1] / p[0])
const ridges = [
  'none',
  { relative: 1e-6 },
  { relative: 1e-3 },
  { absolute: 1e-4 },
  { trace: 1e-4 },
  { pseudoInverse: 1e-5 },
] as const
type Ridge = (typeof ridges)[number]

const oracle = open('cpu')
afterAll(() => oracle.dispose())

/** What the header allows for this input: the statuses, and the exact X where one is promised. */
interface Verdict {
  readonly allowed: readonly string[]
  readonly exact?: { readonly x: Float64Array; readonly tolerance: number }
}

const success = ['ok', 'rank_deficient']
/** At the edge between two answers of the header, where rounding decides. */
const undecided = [...success, 'not_positive_definite', 'not_converged']

function judge(
  { data, n }: ZooMatrix,
  w: Float64Array,
  v: Float64Array,
  dtype: DType,
  ridge: Ridge,
  p: number | [number, number],
): Verdict {
  const { ulp } = precision[dtype]
  if (!data.every(Number.isFinite)) return { allowed: ['non_finite_input'] }
  const largest = data.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
  let asymmetry = 0
  for (let i = 0; i < n; i++)
    for (let j = 0; j < i; j++) asymmetry = Math.max(asymmetry, Math.abs(data[i * n + j]! - data[j * n + i]!))
  if (asymmetry > Math.sqrt(ulp) * largest) return { allowed: ['not_symmetric'] }

  const top = Math.max(w[n - 1]!, 0)
  const lowest = w[0]!
  const pseudo = typeof ridge === 'object' && 'pseudoInverse' in ridge
  const epsilon = ridgeOf(ridge, data, n, top)
  if (largest === 0) return { allowed: epsilon > 0 || pseudo ? ['rank_deficient'] : ['not_positive_definite'] }
  const tau = Math.max(epsilon, 8 * n * ulp * top)
  const rounding = n * ulp * Math.max(top, -lowest)
  if (lowest < -(1.05 * tau + rounding)) return { allowed: ['not_positive_definite'] }
  if (lowest < -(tau - rounding)) return { allowed: undecided }

  const exponent = exponentOf(p)
  const cut = pseudo ? Math.max(n * ulp, ridge.pseudoInverse) * top : 0
  if (pseudo && w.some((x) => Math.abs(x - cut) < 2 * rounding)) return { allowed: undecided }
  if (!pseudo && epsilon === 0 && lowest <= rounding + n * ulp * top)
    return { allowed: lowest <= 0 ? ['not_positive_definite'] : undecided }

  const f = (e: number) => (x: number) => (pseudo ? (x > cut ? x ** exponent : 0) : (Math.max(x, 0) + e) ** exponent)
  const kept = pseudo ? w.find((x) => x > cut)! : Math.max(lowest, 0) + epsilon
  const condition = (top + epsilon) / kept
  const x = assemble(v, w, n, f(epsilon))
  const relative = typeof ridge === 'object' && 'relative' in ridge
  const slack = relative ? relativeError(assemble(v, w, n, f(1.05 * epsilon)), x) : 0
  const tolerance = 100 * n * ulp * condition + slack
  // Past the precision of the type, or where the rounding of X alone is all that the certificate sees, the ladder may
  // give up; up to there it may not.
  const certain = tolerance < 0.5 && n * ulp * condition ** certificateExponent(p) < 0.05 / 4
  const allowed = certain ? success : undecided
  return { allowed, exact: { x, tolerance } }
}

/**
 * Rounding of X = A^{-b/a} alone, |dX| = ulp x_max, puts ulp condition^e into the certificate: of X^{a/2} A^b X^{a/2} for
 * even a, e = b / 2; of X^{(a-1)/2} A^b X^{(a+1)/2} for odd a, e = b (a + 1) / (2 a).
 */
function certificateExponent(p: number | [number, number]): number {
  const [a, b] = typeof p === 'number' ? [Math.abs(p), 1] : p
  return a % 2 === 0 ? b / 2 : (b * (a + 1)) / (2 * a)
}

function ridgeOf(ridge: Ridge, data: Float64Array, n: number, top: number): number {
  if (ridge === 'none' || 'pseudoInverse' in ridge) return 0
  if ('absolute' in ridge) return ridge.absolute
  if ('relative' in ridge) return ridge.relative * top
  let trace = 0
  for (let i = 0; i < n; i++) trace += data[i * n + i]!
  return (ridge.trace * trace) / n
}

function assemble(v: Float64Array, w: Float64Array, n: number, f: (w: number) => number): Float64Array {
  const x = new Float64Array(n * n)
  const weights = w.map(f)
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let sum = 0
      for (let k = 0; k < n; k++) sum += v[i * n + k]! * weights[k]! * v[j * n + k]!
      x[i * n + j] = sum
      x[j * n + i] = sum
    }
  return x
}

/** f64 eigendecomposition of the symmetric part of every finite matrix. */
function decompose(matrices: readonly ZooMatrix[]) {
  const n = matrices[0]!.n
  const parts = matrices.map(({ data, name }) => {
    const finite = data.every(Number.isFinite)
    const half = (_: number, index: number) => 0.5 * data[index]! + 0.5 * data[(index % n) * n + Math.floor(index / n)]!
    return { name, n, data: finite ? data.map(half) : new Float64Array(n * n) }
  })
  const a = stacked(oracle, parts, 'f64')
  const { values, vectors } = eigh(a)
  const result = { values: values.data() as Float64Array, vectors: vectors!.data() as Float64Array }
  for (const tensor of [a, values, vectors!]) tensor.dispose()
  return result
}

/** Matrices that one seed judges. */
const perSeed = 2000

describe(`inverseRoot on ${randomMatrices} random matrices`, () => {
  it.each([...Array(Math.ceil(randomMatrices / perSeed)).keys()])('seed %i', (seed) => {
    const random = new Random(20_000 + seed)
    const testDevices = devices().map((testDevice) => testDevice.open())
    const misses: string[] = []
    let judged = 0
    let exactly = 0
    for (let call = 0; call < 100; call++) {
      const device = call % 4 === 0 ? random.pick(testDevices) : testDevices[0]!
      const dtype = random.uniform() < 0.8 ? 'f32' : 'f64'
      const n = random.integer(1, 20)
      const p = random.pick(roots)
      const ridge = random.pick(ridges)
      const method = random.pick(rootMethods.filter((each) => takesRoot(each, p)))
      const matrices = Array.from({ length: 20 }, () => randomMatrix(n, dtype, random))
      const a = stacked(device, matrices, dtype)
      const { value, report } = inverseRoot(a, { p, ridge, method })
      const x = value.data()
      const { values, vectors } = decompose(matrices)
      for (const [i, matrix] of matrices.entries()) {
        const where = `seed ${seed}, call ${call}, item ${i}: ${matrix.name}, n = ${n}, ${dtype}, p = ${p}, ${method}, ${JSON.stringify(ridge)}, rung ${report.rung[i]}, residual ${report.residual[i]}`
        const { allowed, exact } = judge(matrix, item(values, i, n), item(vectors, i, n * n), dtype, ridge, p)
        if (!allowed.includes(report.status[i]!)) misses.push(`${report.status[i]}, allowed ${allowed}: ${where}`)
        judged++
        if (!exact || !success.includes(report.status[i]!)) continue
        const representable = exact.x.every((element) => Number.isFinite(typed(dtype, [element])[0]!))
        if (!representable) continue
        const error = relativeError(item(x, i, n * n), exact.x)
        if (!(error <= exact.tolerance)) misses.push(`error ${error} above ${exact.tolerance}: ${where}`)
        exactly++
      }
      a.dispose()
      value.dispose()
    }
    expect(misses).toEqual([])
    expect(judged).toBe(perSeed)
    expect(exactly).toBeGreaterThan(1000)
    for (const device of testDevices) device.dispose()
  })
})
