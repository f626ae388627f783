import { describe, expect, test } from 'vitest'
import { batchSizeController, NoiseScale, noiseEstimate } from '../../lib/schedule/index.js'
import { normal } from '../optim/random.js'

/** Squared norm of a mean over `batch` samples of G + noise, G = (1, ..., 1) and variance `variance` an element. */
function sampledNorm(next: () => number, dimension: number, batch: number, variance: number): number {
  let sum = 0
  for (let i = 0; i < dimension; i++) sum += (1 + next() * Math.sqrt(variance / batch)) ** 2
  return sum
}

describe('noise scale', () => {
  test('expected norms give signal and noise exactly', () => {
    // E |G_B|^2 = |G|^2 + tr(Sigma) / B with 5 and 24.
    const norm = (batch: number) => ({ batch, squaredNorm: 5 + 24 / batch })
    expect(noiseEstimate(norm(2), norm(8))).toEqual({ signal: 5, noise: 24 })
  })

  test('finds the scale of noisy gradients', () => {
    const next = normal(9)
    const scale = new NoiseScale({ decay: 0.99 })
    for (let step = 0; step < 400; step++) {
      scale.observe(
        { batch: 4, squaredNorm: sampledNorm(next, 100, 4, 6) },
        { batch: 32, squaredNorm: sampledNorm(next, 100, 32, 6) },
      )
    }
    expect(scale.estimate.signal).toBeGreaterThan(90)
    expect(scale.estimate.signal).toBeLessThan(110)
    expect(scale.scale).toBeGreaterThan(5)
    expect(scale.scale).toBeLessThan(7)
  })

  test('averages are corrected for their start, and go on from a saved state', () => {
    const scale = new NoiseScale()
    expect(scale.scale).toBeUndefined()
    expect(scale.estimate).toEqual({ signal: 0, noise: 0 })
    scale.observe({ batch: 1, squaredNorm: 5 }, { batch: 2, squaredNorm: 4 })
    expect(scale.estimate.signal).toBeCloseTo(3, 12)
    expect(scale.estimate.noise).toBeCloseTo(2, 12)
    const other = new NoiseScale()
    other.loadStateDict(structuredClone(scale.stateDict()))
    for (const one of [scale, other]) one.observe({ batch: 1, squaredNorm: 9 }, { batch: 4, squaredNorm: 3 })
    expect(other.estimate).toEqual(scale.estimate)
  })

  test('nothing but noise is an infinite scale, no noise is 0', () => {
    const noisy = new NoiseScale()
    noisy.observe({ batch: 1, squaredNorm: 8 }, { batch: 2, squaredNorm: 4 })
    expect(noisy.scale).toBe(Number.POSITIVE_INFINITY)
    const clean = new NoiseScale()
    clean.observe({ batch: 1, squaredNorm: 4 }, { batch: 2, squaredNorm: 4 })
    expect(clean.scale).toBe(0)
  })

  test('refuses', () => {
    const norm = { batch: 2, squaredNorm: 1 }
    expect(() => noiseEstimate(norm, norm)).toThrow('noiseEstimate: big.batch must be > small.batch, got 2 and 2')
    expect(() => noiseEstimate({ batch: 1, squaredNorm: Number.NaN }, norm)).toThrow('small.squaredNorm')
    expect(() => new NoiseScale({ decay: 1 })).toThrow('NoiseScale: decay must be a finite number >= 0 and < 1, got 1')
    expect(() => new NoiseScale().loadStateDict({} as never)).toThrow(expect.objectContaining({ code: 'ERR_STATE' }))
  })
})

describe('batch size controller', () => {
  test('follows the noise scale, by at most a factor a time, in multiples', () => {
    const next = batchSizeController({ max: 1000, min: 8, multiple: 8 })
    expect(next(64, { signal: 1, noise: 100 })).toBe(104)
    expect(next(64, { signal: 1, noise: 5000 })).toBe(128)
    expect(next(64, { signal: 1, noise: 1 })).toBe(32)
    expect(next(8, { signal: 1, noise: 0 })).toBe(8)
    expect(next(800, { signal: 0, noise: 1 })).toBe(1000)
  })

  test('the norm test only grows, and only where it fails', () => {
    const next = batchSizeController({ by: 'norm-test', tolerance: 0.5, max: 512, growth: 4 })
    // noise / B <= 0.25 signal at B = 400 and above
    expect(next(400, { signal: 1, noise: 100 })).toBe(400)
    expect(next(500, { signal: 1, noise: 100 })).toBe(500)
    expect(next(200, { signal: 1, noise: 100 })).toBe(400)
    expect(next(50, { signal: 1, noise: 100 })).toBe(200)
    expect(next(50, { signal: -1, noise: 100 })).toBe(200)
    expect(next(50, { signal: 1, noise: 0 })).toBe(50)
  })

  test('refuses', () => {
    expect(() => batchSizeController({ max: 4, min: 8 })).toThrow('batchSizeController: max must be an integer >= 8')
    expect(() => batchSizeController({ max: 4, growth: 1 })).toThrow('growth must be a finite number > 1, got 1')
    expect(() => batchSizeController({ max: 4 })(0.5, { signal: 1, noise: 1 })).toThrow('batch must be an integer >= 1')
  })
})
