// The zoo is what it says: symmetric, with the spectra it claims, and the ratios fail where they must.
import { EigenvalueDecomposition, Matrix } from 'ml-matrix'
import { describe, expect, it } from 'vitest'
import {
  choleskyRatio,
  eighRatios,
  fromSingularValues,
  inverseResidual,
  knownKillers,
  lapackMatrices,
  lapackType,
  laplacian,
  multiply,
  otherMatrices,
  precision,
  Random,
  randomOrthogonal,
  relativeError,
  shampooEma,
  type ZooMatrix,
} from './zoo.js'

const f64 = (seed: number) => ({ dtype: 'f64', random: new Random(seed) }) as const

function decompose({ n, data }: ZooMatrix) {
  const evd = new EigenvalueDecomposition(Matrix.from1DArray(n, n, Array.from(data)), { assumeSymmetric: true })
  return { values: evd.realEigenvalues, vectors: Float64Array.from(evd.eigenvectorMatrix.to1DArray()) }
}

describe('random numbers', () => {
  it('repeats by seed and differs between seeds', () => {
    expect(new Random(7).normals(5)).toEqual(new Random(7).normals(5))
    expect(new Random(7).normals(5)).not.toEqual(new Random(8).normals(5))
  })

  it('has the moments of uniforms and normals', () => {
    const random = new Random(1)
    const count = 100_000
    const normals = random.normals(count)
    const mean = normals.reduce((sum, x) => sum + x, 0) / count
    const fourth = normals.reduce((sum, x) => sum + x ** 4, 0) / count
    const uniform = Array.from({ length: count }, () => random.uniform()).reduce((sum, x) => sum + x, 0) / count
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(count))
    expect(Math.abs(fourth - 3)).toBeLessThan(0.2)
    expect(Math.abs(uniform - 0.5)).toBeLessThan(5 / Math.sqrt(12 * count))
  })
})

describe('orthogonal matrices', () => {
  it.each([1, 2, 3, 17, 64])('Q^T Q = I at n = %i', (n) => {
    const q = randomOrthogonal(n, new Random(n))
    expect(eighRatios(new Float64Array(n * n), new Float64Array(n), q, n, 2 ** -52).orthogonality).toBeLessThan(10)
  })

  it('gives the singular values asked for, and their polar factor', () => {
    const { data, polar } = fromSingularValues(5, 3, [3, 2, 1], new Random(2))
    const gram = multiply(3, 3, 5, data, data, 'A^T')
    expect(gram[0]! + gram[4]! + gram[8]!).toBeCloseTo(14, 12)
    // A^T (U V^T) = V S V^T is the symmetric square root of the Gram matrix.
    const root = multiply(3, 3, 5, data, polar, 'A^T')
    expect(relativeError(multiply(3, 3, 3, root, root), gram)).toBeLessThan(1e-14)
  })
})

describe('matrices', () => {
  it('are exactly symmetric and finite, except where their name says otherwise', () => {
    for (const dtype of ['f32', 'f64'] as const)
      for (const n of [1, 2, 5, 24]) {
        const options = { dtype, random: new Random(n) }
        for (const { name, data, n: order } of [
          ...lapackMatrices(n, options),
          ...otherMatrices(n, options),
          ...knownKillers(options),
        ]) {
          if (name.includes('asymmetric')) continue
          for (let i = 0; i < order; i++)
            for (let j = 0; j < order; j++) {
              const value = data[i * order + j]!
              expect(Number.isFinite(value), `${name} ${dtype}`).toBe(true)
              if (dtype === 'f32') expect(Object.is(Math.fround(value), value), name).toBe(true)
              if (value !== data[j * order + i]!) expect.fail(`${name} is not symmetric at (${i}, ${j})`)
            }
        }
      }
  })

  it('have the spectra they carry', () => {
    for (const matrix of [...lapackMatrices(20, f64(3)), ...otherMatrices(20, f64(3)), laplacian(33, 'f64')]) {
      if (!matrix.spectrum) continue
      const { values } = decompose(matrix)
      const largest = Math.max(...matrix.spectrum.map(Math.abs))
      values.sort((x, y) => x - y)
      matrix.spectrum.forEach((w, i) => {
        expect(Math.abs(values[i]! - w), matrix.name).toBeLessThanOrEqual(20 * 10 * 2 ** -52 * largest)
      })
    }
  })

  it('reach LAPACK’s magnitudes', () => {
    for (const dtype of ['f32', 'f64'] as const) {
      const options = { dtype, random: new Random(4) }
      const largest = (type: number) => lapackType(type, 8, options).data.reduce((m, x) => Math.max(m, Math.abs(x)), 0)
      const { huge, tiny, ulp } = precision[dtype]
      for (const type of [6, 11, 14, 19]) expect(largest(type)).toBeGreaterThan(0.01 * ulp * Math.sqrt(huge))
      for (const type of [7, 12, 15, 20]) expect(largest(type)).toBeLessThan((100 / ulp) * Math.sqrt(tiny))
      for (const type of [7, 12, 15, 20]) expect(largest(type)).toBeGreaterThan(0)
    }
  })

  it('of moving averages have their rank, dead rows and asymmetry', () => {
    const rank = (matrix: ZooMatrix) => {
      const { values } = decompose(matrix)
      const largest = Math.max(...values)
      return values.filter((w) => w > 1e-12 * largest).length
    }
    expect(rank(shampooEma(24, { ...f64(5), steps: 1 }))).toBe(6)
    expect(rank(shampooEma(24, { ...f64(5), steps: 10 }))).toBe(24)
    expect(rank(shampooEma(24, { ...f64(5), steps: 10, deadRows: 2 }))).toBe(22)
    const { data } = shampooEma(24, { dtype: 'f32', random: new Random(6), steps: 10, asymmetric: true })
    let worst = 0
    for (let i = 0; i < 24; i++)
      for (let j = 0; j < i; j++) worst = Math.max(worst, Math.abs(data[i * 24 + j]! - data[j * 24 + i]!))
    expect(worst).toBeGreaterThan(0)
    expect(worst).toBeLessThan(1e-5 * Math.max(...data))
  })
})

describe('ratios', () => {
  it('accept a good eigendecomposition and refuse a wrong one', () => {
    for (const matrix of lapackMatrices(24, f64(7))) {
      const { n, data } = matrix
      const { values, vectors } = decompose(matrix)
      const good = eighRatios(data, values, vectors, n, 2 ** -52)
      expect(good.orthogonality, matrix.name).toBeLessThan(10)
      const tilted = vectors.slice()
      tilted[0]! += 1e-10
      expect(eighRatios(data, values, tilted, n, 2 ** -52).orthogonality, matrix.name).toBeGreaterThan(10)
      if (data.every((x) => x === 0)) continue
      const shifted = Array.from(values, (w) => w + 1e-10 * Math.max(...Array.from(values, Math.abs)))
      expect(eighRatios(data, shifted, vectors, n, 2 ** -52).residual, matrix.name).toBeGreaterThan(10)
    }
  })

  it('do not depend on the scale of the matrix', () => {
    const { n, data } = lapackType(8, 12, f64(8))
    const { values, vectors } = decompose({ name: '', n, data })
    const one = eighRatios(data, values, vectors, n, 2 ** -52)
    for (const factor of [2 ** -900, 2 ** 900]) {
      const times = (x: number) => x * factor
      expect(eighRatios(data.map(times), values.map(times), vectors, n, 2 ** -52)).toEqual(one)
    }
  })

  it('are hand-checkable at n = 2', () => {
    // A = [[4, 2], [2, 3]], L = [[2, 0], [1, sqrt 2]]; L with 1 in place of sqrt 2 misses a_11 by 1, |A|_1 = 6.
    const a = [4, 2, 2, 3]
    expect(choleskyRatio(a, [2, 0, 1, Math.SQRT2], 2, 2 ** -52)).toBeLessThan(1)
    expect(choleskyRatio(a, [2, 0, 1, 1], 2, 2 ** -52)).toBeCloseTo(2 ** 52 / 12)
    expect(inverseResidual(a, [3 / 8, -2 / 8, -2 / 8, 4 / 8], 2)).toBe(0)
    expect(eighRatios([1, 0, 0, 2], [1, 2], [1, 0, 0, 1], 2, 2 ** -52)).toEqual({ residual: 0, orthogonality: 0 })
  })
})
