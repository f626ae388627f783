// norm_estimate: bounds and failures of native/include/kronroot/ops.h.
//
//   SPECTRAL "at most 2.5 % above" sigma_max and never below it, SPECTRAL_LOWER never above, "exact for rank one";
//   FROBENIUS, ONE, INFINITY "2 ulp in f32, (m + n) ulp in f64; MAX exact; rounding moves the other two by up to
//   8 (m + n) ulp".
import { describe, expect, it } from 'vitest'
import { type NormKind, normEstimate, open, svd } from '../../lib/index.js'
import { type DType, precision, Random, typed } from '../matrices/zoo.js'
import { affordable, devicesByRank } from './devices.js'
import { expectSameBits } from './oracle.js'
import { fewShapes, manyShapes, oneNorm, type Rectangle, rectangles, stackedRectangles } from './rectangles.js'

const { main, others } = devicesByRank()
const dtypes: readonly DType[] = ['f32', 'f64']
const kinds: readonly NormKind[] = ['spectral', 'spectral-lower', 'frobenius', 'one', 'infinity', 'max']

/** The norms of one matrix in f64, scaled to 1 first so that squares stay in range. */
function exactNorms({ m, n, data }: Rectangle): Record<NormKind, number> {
  const largest = data.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
  if (largest === 0) return { spectral: 0, 'spectral-lower': 0, frobenius: 0, one: 0, infinity: 0, max: 0 }
  const scale = 2 ** Math.floor(Math.log2(largest))
  const unit = data.map((x) => x / scale)
  const transposed = Float64Array.from({ length: m * n }, (_, at) => unit[(at % m) * n + Math.floor(at / m)]!)
  const reference = open('cpu')
  const { s } = svd(reference.tensor(unit, [m, n]), { vectors: false })
  const sigma = s.data()[0]!
  reference.dispose()
  return {
    spectral: sigma * scale,
    'spectral-lower': sigma * scale,
    frobenius: Math.sqrt(unit.reduce((sum, x) => sum + x * x, 0)) * scale,
    one: oneNorm(unit, m, n) * scale,
    infinity: oneNorm(transposed, n, m) * scale,
    max: largest,
  }
}

/** Fails unless `found` keeps the bound of its kind. */
function expectNorm(kind: NormKind, found: number, known: number, sides: number, dtype: DType, where: string): void {
  if (known === 0) {
    expect(found, where).toBe(0)
    return
  }
  const { ulp } = precision[dtype]
  const ratio = found / known
  // The singular value beside it is right to 10 (m + n) ulp of f64.
  const oracle = 10 * sides * 2 ** -52
  const off = 8 * sides * ulp
  if (kind === 'max') {
    expect(found, where).toBe(known)
  } else if (kind === 'spectral') {
    expect(ratio, where).toBeGreaterThanOrEqual(1 - oracle)
    expect(ratio, where).toBeLessThanOrEqual(1.025 + off)
  } else if (kind === 'spectral-lower') {
    expect(ratio, where).toBeLessThanOrEqual(1 + off + oracle)
    expect(ratio, where).toBeGreaterThan(0.5)
  } else {
    expect(Math.abs(ratio - 1), where).toBeLessThanOrEqual(dtype === 'f32' ? 2 * ulp : sides * ulp)
  }
}

describe.each([main, ...others])('normEstimate on $label', (testDevice) => {
  const grid = testDevice === main ? [...manyShapes, [600, 40] as const, [40, 1100] as const] : fewShapes
  const shapes = grid.filter(([m, n]) => affordable([m, n], 130).length === 2)

  describe.each(dtypes)('%s', (dtype) => {
    it.each(kinds)('%s keeps its bound for every kind of rectangle', (kind) => {
      const device = testDevice.open()
      for (const [m, n] of shapes) {
        const all = rectangles(m, n, dtype, new Random(m + 7 * n))
        const { value, report } = normEstimate(stackedRectangles(device, all, dtype), { kind })
        expect(value.shape).toEqual([all.length, 1])
        const found = value.data()
        all.forEach((each, index) => {
          const where = `${each.name}, ${m} x ${n}`
          expect(report.status[index], where).toBe('ok')
          expect(report.iterations[index], where).toBe(kind === 'spectral-lower' ? 4 : 0)
          expectNorm(kind, found[index]!, exactNorms(each)[kind], m + n, dtype, where)
        })
      }
      device.dispose()
    })

    it('spectral-lower is exact for rank one and rises with its steps', () => {
      const device = testDevice.open()
      for (const [m, n] of fewShapes) {
        const random = new Random(m * n)
        const [left, right] = [random.normals(m), random.normals(n)]
        const outer = Float64Array.from({ length: m * n }, (_, at) => left[Math.floor(at / n)]! * right[at % n]!)
        const one: Rectangle = { name: 'rank one', m, n, data: dtype === 'f32' ? outer.map(Math.fround) : outer }
        const found = normEstimate(stackedRectangles(device, [one], dtype), { kind: 'spectral-lower', iterations: 1 })
        const known = exactNorms(one).spectral
        const rounding = (8 * (m + n) + 10 * Math.sqrt(m * n)) * precision[dtype].ulp
        expect(Math.abs(found.value.data()[0]! / known - 1), `${m} x ${n}`).toBeLessThanOrEqual(rounding)
        let before = 0
        for (const iterations of [1, 3, 10]) {
          const a = device.tensor(typed(dtype, new Random(3).normals(m * n)), [m, n])
          const { value, report } = normEstimate(a, { kind: 'spectral-lower', iterations })
          expect(report.iterations[0]).toBe(iterations)
          expect(value.data()[0]!).toBeGreaterThanOrEqual(before * (1 - precision[dtype].ulp))
          before = value.data()[0]!
        }
      }
      device.dispose()
    })

    it.each(kinds)('%s names failures and leaves the neighbours bit-identical', (kind) => {
      const one = testDevice.open({ threads: 1 })
      const two = testDevice.open({ threads: 2 })
      for (const [m, n] of [
        [7, 4],
        [70, 66],
      ] as const) {
        const good = rectangles(m, n, dtype, new Random(2)).slice(0, 8)
        const clean = normEstimate(stackedRectangles(one, good, dtype), { kind }).value.data()
        const spoiled = (index: number, x: number) => good[index]!.data.map((y, at) => (at === m ? x : y))
        const bad = good.map((each, i) => {
          if (i === 2) return { ...each, data: spoiled(i, Number.NaN) }
          if (i === 4) return { ...each, data: spoiled(i, Number.NEGATIVE_INFINITY) }
          return i === 6 ? { ...each, data: each.data.map(() => precision[dtype].huge) } : each
        })
        const { value, report } = normEstimate(stackedRectangles(two, bad, dtype), { kind })
        const expected = good.map(() => 'ok')
        expected[2] = expected[4] = 'non_finite_input'
        if (kind !== 'max') expected[6] = 'overflow'
        expect(report.status).toEqual(expected)
        const found = value.data()
        for (const i of [0, 1, 3, 5, 7]) expectSameBits(found.slice(i, i + 1), clean.slice(i, i + 1))
        for (const i of [2, 4]) expect(found[i]).toBeNaN()
        const many = [...rectangles(m, n, dtype, new Random(4)), ...rectangles(m, n, dtype, new Random(5))]
        const whole = normEstimate(stackedRectangles(one, many, dtype), { kind }).value.data()
        const part = normEstimate(stackedRectangles(two, many.slice(2), dtype), { kind }).value.data()
        expectSameBits(part, whole.slice(2))
      }
      one.dispose()
      two.dispose()
    })
  })

  it('is 0 for empty matrices', () => {
    const device = testDevice.open()
    for (const kind of kinds) {
      const { value, report } = normEstimate(device.tensor(new Float32Array(0), [2, 0, 3]), { kind })
      expect(Array.from(value.data())).toEqual([0, 0])
      expect(report.status).toEqual(['ok', 'ok'])
    }
    device.dispose()
  })
})
