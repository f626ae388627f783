import { describe, expect, test } from 'vitest'
import {
  cosine,
  decayForBatch,
  decayForHalfLife,
  halfLife,
  linearScaling,
  squareRootScaling,
} from '../../lib/schedule/index.js'

describe('batch scaling', () => {
  test('linear: lr grows with the batch, number or schedule', () => {
    expect(linearScaling(0.1, { from: 256, to: 1024 })).toBe(0.4)
    const schedule = cosine({ peak: 1, steps: 10 })
    const scaled = linearScaling(schedule, { from: 8, to: 4 }) as (step: number) => number
    expect(scaled(3)).toBe(0.5 * schedule(3))
  })

  test('square root: lr, betas and epsilon', () => {
    const scaled = squareRootScaling({ lr: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }, { from: 64, to: 256 })
    expect(scaled.lr).toBeCloseTo(2e-3, 15)
    expect(scaled.beta1).toBeCloseTo(0.6, 15)
    expect(scaled.beta2).toBeCloseTo(0.996, 15)
    expect(scaled.epsilon).toBeCloseTo(5e-9, 20)
    expect(squareRootScaling({ lr: 1 }, { from: 4, to: 1 })).toEqual({ lr: 0.5 })
  })

  test('the way back is the way forth', () => {
    const numbers = { lr: 1e-3, beta1: 0.9, beta2: 0.99, epsilon: 1e-8 }
    const back = squareRootScaling(squareRootScaling(numbers, { from: 1, to: 7 }), { from: 7, to: 1 })
    for (const [field, value] of Object.entries(numbers)) {
      expect(back[field as keyof typeof back]).toBeCloseTo(value, 12)
    }
  })

  test('half-life in samples', () => {
    // After halfLife / batch steps of decay beta half is left.
    expect(0.95 ** (halfLife(0.95, 512) / 512)).toBeCloseTo(0.5, 12)
    expect(decayForHalfLife(halfLife(0.95, 512), 512)).toBeCloseTo(0.95, 12)
    expect(decayForHalfLife(halfLife(0.95, 512), 1)).toBeCloseTo(decayForBatch(0.95, { from: 512, to: 1 }), 12)
    expect(decayForBatch(0.9, { from: 32, to: 96 })).toBeCloseTo(0.729, 12)
    expect(decayForBatch(1, { from: 32, to: 96 })).toBe(1)
  })

  test.each([
    [() => squareRootScaling({ lr: 1, beta1: 0.8 }, { from: 1, to: 6 }), 'squareRootScaling: beta1 0.8 cannot go with'],
    [
      () => squareRootScaling({ lr: 1, beta2: 1 }, { from: 1, to: 2 }),
      'squareRootScaling: beta2 must be a finite number',
    ],
    [() => linearScaling(1, { from: 0, to: 2 }), 'linearScaling: from must be a finite number > 0, got 0'],
    [() => halfLife(1, 2), 'halfLife: beta must be a finite number > 0 and < 1, got 1'],
  ])('refuses (%#)', (make, message) => {
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringContaining(message) }))
  })
})
