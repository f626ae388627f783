// eigh: bounds, order, sign, statuses of native/include/kronroot/ops.h.
//
//   "|A V - V diag(w)| / (n ulp |A|) < 10, |V^T V - I| / (n ulp) < 10" (1-norms), any scale, all 21 LAPACK types.
import { afterAll, describe, expect, it } from 'vitest'
import { type Device, eigh, open } from '../../lib/index.js'
import {
  asymmetric,
  type DType,
  eighRatios,
  knownKillers,
  lapackMatrices,
  lapackType,
  nonFinite,
  otherMatrices,
  precision,
  Random,
  scaled,
  scaleSweep,
  type ZooMatrix,
} from '../matrices/zoo.js'
import { affordable, devicesByRank, grid } from './devices.js'
import { expectSameBits, item, multiplyOn, stacked } from './oracle.js'

const bound = 10
const dtypes: readonly DType[] = ['f32', 'f64']
const sizes = grid(
  [...Array(21).keys(), 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 500],
  [0, 1, 2, 3, 4, 5, 8, 9, 16, 17, 32, 33, 65],
)
const subset = [0, 1, 2, 3, 7, 16, 33, 65, 129]
const seed = (n: number, dtype: DType) => 1000 * n + (dtype === 'f32' ? 1 : 2)
const beyondRange = ['float max corners (cupy 6789)', 'largest finite']
const { main, others } = devicesByRank()

const product = open('cpu')
afterAll(() => product.dispose())

/** One call over the batch; every promise of the header checked on every matrix. */
function check(device: Device, matrices: readonly ZooMatrix[], dtype: DType): void {
  const n = matrices[0]!.n
  const { ulp } = precision[dtype]
  const a = stacked(device, matrices, dtype)
  const { values, vectors, report } = eigh(a)
  const w = values.data()
  const v = vectors!.data()
  matrices.forEach(({ name, data }, index) => {
    const where = `${name}, n = ${n}, ${dtype}`
    const wi = item(w, index, n)
    const vi = item(v, index, n * n)
    expect(report.status[index], where).toBe('ok')
    const { residual, orthogonality } = eighRatios(data, wi, vi, n, ulp, multiplyOn(product))
    expect(residual, `residual, ${where}`).toBeLessThan(bound)
    expect(orthogonality, `orthogonality, ${where}`).toBeLessThan(bound)
    expectAscending(wi, where)
    expectPositiveLeadingComponents(vi, n, where)
    if (n > 0) expect(report.residual[index], `reported residual, ${where}`).toBeLessThan(bound * n * ulp)
  })
  for (const tensor of [a, values, vectors!]) tensor.dispose()
}

function expectAscending(w: Float64Array, where: string): void {
  for (let i = 1; i < w.length; i++) if (!(w[i - 1]! <= w[i]!)) expect.fail(`values not ascending at ${i}: ${where}`)
}

/** "the component of largest magnitude of every eigenvector (the first of equals) is positive" */
function expectPositiveLeadingComponents(v: Float64Array, n: number, where: string): void {
  for (let j = 0; j < n; j++) {
    let leading = 0
    for (let i = 0; i < n; i++) if (Math.abs(v[i * n + j]!) > Math.abs(leading)) leading = v[i * n + j]!
    if (!(leading > 0)) expect.fail(`eigenvector ${j} has leading component ${leading}: ${where}`)
  }
}

describe.each(dtypes)('eigh %s, LAPACK’s 21 types', (dtype) => {
  const device = main.open()
  afterAll(() => device.dispose())

  it.each(sizes)(`n = %i on ${main.label}`, (n) => {
    check(device, lapackMatrices(n, { dtype, random: new Random(seed(n, dtype)) }), dtype)
  })

  it.each(affordable([1, 2, 3, 5, 16, 33, 64, 100], 16))(
    'clustered, graded, deficient and optimizer matrices, n = %i',
    (n) => {
      check(device, otherMatrices(n, { dtype, random: new Random(seed(n, dtype)) }), dtype)
    },
  )

  it('known killers of other libraries', () => {
    for (const matrix of knownKillers({ dtype, random: new Random(5) })) {
      if (affordable([matrix.n], 60).length === 0) continue
      if (!beyondRange.includes(matrix.name)) check(device, [matrix], dtype)
      else {
        // An eigenvalue beyond the largest number of the type is named; an eighth of the matrix is answered.
        const a = stacked(device, [matrix], dtype)
        expect(eigh(a).report.status, matrix.name).toEqual(['overflow'])
        check(device, [scaled(matrix, 1 / 8, `${matrix.name} / 8`)], dtype)
      }
    }
  })

  it('any scale', () => {
    check(device, scaleSweep(24, { dtype, random: new Random(6) }), dtype)
  })
})

describe.each(others)('eigh on $label', (other) => {
  it.each(dtypes)('%s, LAPACK’s 21 types', (dtype) => {
    const device = other.open()
    for (const n of subset) check(device, lapackMatrices(n, { dtype, random: new Random(seed(n, dtype)) }), dtype)
    device.dispose()
  })
})

describe.each([main, ...others])('eigh on $label', (testDevice) => {
  const random = () => new Random(77)

  it.each(dtypes)('%s: a matrix has the same bits in batches of every size that takes the same path', (dtype) => {
    const device = testDevice.open()
    // One matrix to a lane: for n <= 16 always, for the others in batches of this size (native/core/crossovers.inc).
    for (const [n, counts] of [
      [5, [1, 3]],
      [33, [8, 19]],
      [70, [8, 19]],
      [200, [1, 3]],
    ] as const) {
      if (affordable([n], 33).length === 0) continue
      const matrices = Array.from({ length: 33 }, (_, i) =>
        lapackType(1 + (i % 21), n, { dtype, random: new Random(i) }),
      )
      const whole = solve(device, matrices, dtype)
      for (const count of counts) {
        for (let first = 0; first + count <= 33; first += 8) {
          const part = solve(device, matrices.slice(first, first + count), dtype)
          const same = whole.subarray(first * (n * n + n), (first + count) * (n * n + n))
          expectSameBits(part, same.slice())
        }
      }
    }
    device.dispose()
  })

  it.each(dtypes)('%s: a NaN or infinity in one matrix leaves its neighbours bit-identical', (dtype) => {
    const device = testDevice.open()
    const n = 12
    const good = Array.from({ length: 5 }, (_, i) => lapackType(8 + i, n, { dtype, random: random() }))
    const expected = solve(device, good, dtype)
    for (const poison of nonFinite(n, { dtype, random: random() }))
      for (const position of [0, 2, 4]) {
        const batch = good.map((matrix, i) => (i === position ? poison : matrix))
        const a = stacked(device, batch, dtype)
        const { report } = eigh(a)
        expect(report.status).toEqual(batch.map((matrix) => (matrix === poison ? 'non_finite_input' : 'ok')))
        const actual = solve(device, batch, dtype)
        const size = n * n + n
        for (let i = 0; i < 5; i++)
          if (i !== position)
            expectSameBits(actual.slice(i * size, (i + 1) * size), expected.slice(i * size, (i + 1) * size))
        a.dispose()
      }
    device.dispose()
  })

  it.each(dtypes)('%s: one thread and two give the same bits', (dtype) => {
    const one = testDevice.open({ threads: 1 })
    const two = testDevice.open({ threads: 2 })
    for (const n of affordable([1, 17, 64, 150], 17)) {
      const matrices = lapackMatrices(n, { dtype, random: random() })
      expectSameBits(solve(two, matrices, dtype), solve(one, matrices, dtype))
      expectSameBits(solve(two, matrices.slice(8, 9), dtype), solve(one, matrices.slice(8, 9), dtype))
    }
    one.dispose()
    two.dispose()
  })

  it.each(dtypes)('%s: values alone agree with values beside vectors', (dtype) => {
    // Both are within 10 n ulp |A| of the exact ones.
    const device = testDevice.open()
    const sizes = [3, 7, 13, 24, grid(65, 34)]
    for (const matrix of sizes.flatMap((n) => lapackMatrices(n, { dtype, random: random() }))) {
      const { n } = matrix
      const a = stacked(device, [matrix], dtype)
      const both = eigh(a)
      const only = eigh(a, { vectors: false })
      expect(only.vectors).toBeUndefined()
      expect(only.report.residual[0]).toBeNaN()
      const left = both.values.data()
      const right = only.values.data()
      const largest = Math.max(Math.abs(left[0]!), Math.abs(left[n - 1]!))
      for (let i = 0; i < n; i++)
        expect(Math.abs(left[i]! - right[i]!), matrix.name).toBeLessThanOrEqual(20 * n * precision[dtype].ulp * largest)
      for (const tensor of [a, both.values, both.vectors!, only.values]) tensor.dispose()
    }
    device.dispose()
  })

  it.each(dtypes)('%s: asymmetry up to sqrt(ulp) max|A| is symmetrised, beyond is NOT_SYMMETRIC', (dtype) => {
    const device = testDevice.open()
    const limit = Math.sqrt(precision[dtype].ulp)
    const slight = asymmetric(9, 0.5 * limit, { dtype, random: random() })
    check(device, [slight], dtype)
    const a = stacked(device, [slight, asymmetric(9, 2 * limit, { dtype, random: random() }), slight], dtype)
    expect(eigh(a).report.status).toEqual(['ok', 'not_symmetric', 'ok'])
    device.dispose()
  })
})

// "Where |A Q - Q diag(b)|_F <= refresh_tolerance |A|_F ... Q stays ... Otherwise DECOMPOSE ... ITERATE ..."
describe.each([main, ...others])('eigh refresh on $label', (testDevice) => {
  const n = 48
  const matrices = [
    lapackType(18, n, { dtype: 'f64', random: new Random(3) }),
    lapackType(16, n, { dtype: 'f64', random: new Random(4) }),
  ]
  // The same matrices after a small step.
  const moved = matrices.map(({ name, data }, which) => {
    const random = new Random(which)
    const step = Float64Array.from(data)
    for (let i = 0; i < n; i++)
      for (let j = 0; j <= i; j++) step[i * n + j] = step[j * n + i] = data[i * n + j]! + 1e-5 * random.normal()
    return { name, n, data: step }
  })

  it.each(dtypes)('%s: keeps the basis within the tolerance', (dtype) => {
    const device = testDevice.open()
    const { vectors: basis } = eigh(stacked(device, matrices, dtype))
    const a = stacked(device, moved, dtype)
    const { values, vectors, report } = eigh(a, { refresh: { otherwise: 'decompose', basis: basis!, tolerance: 0.01 } })
    expect(vectors).toBe(basis)
    expect(report.method).toEqual(['kept-basis', 'kept-basis'])
    expect([...report.iterations]).toEqual([0, 0])
    report.residual.forEach((residual) => {
      expect(residual).toBeGreaterThan(1e-6)
      expect(residual).toBeLessThan(0.01)
    })
    for (let b = 0; b < 2; b++) expectAscending(item(values.data(), b, n), `matrix ${b}`)
    device.dispose()
  })

  it.each(dtypes)('%s: decomposes beyond the tolerance, with the bits of a decomposition', (dtype) => {
    const device = testDevice.open()
    const { vectors: basis } = eigh(stacked(device, matrices, dtype))
    const a = stacked(device, moved, dtype)
    const { values, report } = eigh(a, { refresh: { otherwise: 'decompose', basis: basis! } })
    const fresh = eigh(a)
    expect(report.method).toEqual(fresh.report.method)
    expectSameBits(values.data(), fresh.values.data())
    expectSameBits(basis!.data(), fresh.vectors!.data())
    device.dispose()
  })

  it.each(dtypes)('%s: a step of orthogonal iteration stays orthogonal', async (dtype) => {
    const device = testDevice.open()
    const { ulp } = precision[dtype]
    const { vectors: basis } = eigh(stacked(device, matrices, dtype))
    const a = stacked(device, moved, dtype)
    const { values, vectors, report } = await eigh.async(a, { refresh: { otherwise: 'iterate', basis: basis! } })
    expect(report.method).toEqual(['orthogonal-iteration', 'orthogonal-iteration'])
    moved.forEach(({ data }, b) => {
      const wi = item(values.data(), b, n)
      const vi = item(vectors!.data(), b, n * n)
      expect(eighRatios(data, wi, vi, n, ulp, multiplyOn(product)).orthogonality).toBeLessThan(bound)
      expectAscending(wi, `matrix ${b}`)
      expectPositiveLeadingComponents(vi, n, `matrix ${b}`)
    })
    device.dispose()
  })

  it.each(dtypes)('%s: a first step from zeros decomposes', (dtype) => {
    const device = testDevice.open()
    const a = stacked(device, matrices, dtype)
    const basis = device.empty(a.shape, { dtype })
    eigh(a, { refresh: { otherwise: 'iterate', basis, tolerance: 0.5 } })
    expectSameBits(basis.data(), eigh(a).vectors!.data())
    device.dispose()
  })
})

/** Values and vectors of every matrix, one after the other. */
function solve(device: Device, matrices: readonly ZooMatrix[], dtype: DType): Float32Array | Float64Array {
  const n = matrices[0]!.n
  const a = stacked(device, matrices, dtype)
  const { values, vectors } = eigh(a)
  const w = values.data()
  const v = vectors!.data()
  const all = dtype === 'f32' ? new Float32Array(w.length + v.length) : new Float64Array(w.length + v.length)
  matrices.forEach((_, i) => {
    all.set(w.subarray(i * n, (i + 1) * n), i * (n * n + n))
    all.set(v.subarray(i * n * n, (i + 1) * n * n), i * (n * n + n) + n)
  })
  for (const tensor of [a, values, vectors!]) tensor.dispose()
  return all
}
