import { describe, expect, test } from 'vitest'
import { ema, polynomialAverage, swa, tailAverage } from '../../lib/schedule/index.js'

/** How much each of the values 1, 2, ..., steps weighs in the average. */
function shares(weight: (t: number) => number, steps: number): number[] {
  const result: number[] = []
  for (let t = 1; t <= steps; t++) {
    const w = weight(t)
    for (let i = 0; i < result.length; i++) result[i]! *= 1 - w
    result.push(w)
  }
  return result
}

const close = (actual: readonly number[], expected: readonly number[]) => {
  expect(actual.length).toBe(expected.length)
  for (const [index, value] of actual.entries()) expect(value).toBeCloseTo(expected[index]!, 12)
}

describe('shares of the steps in the average', () => {
  test('ema without warm-up: powers of the decay, the rest on the first', () => {
    close(shares(ema({ decay: 0.5, warmup: 'none' }), 4), [1 / 8, 1 / 8, 1 / 4, 1 / 2])
  })

  test('ema, corrected: powers of the decay alone', () => {
    const powers = [1, 2, 4, 8].map((power) => power / 15)
    close(shares(ema({ decay: 0.5, warmup: 'corrected' }), 4), powers)
  })

  test('ema with a ratio: 3 / 12 of the first in the second, and the decay in the end', () => {
    const weight = ema({ decay: 0.99 })
    close([1, 2, 3].map(weight), [1, 1 - 3 / 12, 1 - 4 / 13])
    expect(weight(100_000)).toBeCloseTo(0.01, 12)
    expect(ema({ decay: (t) => 0.1 * t, warmup: 'none' })(4)).toBeCloseTo(0.6, 12)
  })

  test('swa: nothing before the start, then every k-th equally', () => {
    close(shares(swa(), 4), [0.25, 0.25, 0.25, 0.25])
    close(shares(swa({ start: 3, every: 2 }), 8), [0, 0, 1 / 3, 0, 1 / 3, 0, 1 / 3, 0])
    close(shares(swa({ start: 3 }), 2), [0, 1])
  })

  test('tail: the last part equally', () => {
    close(shares(tailAverage({ steps: 5, part: 0.6 }), 5), [0, 0, 1 / 3, 1 / 3, 1 / 3])
    close(shares(tailAverage({ steps: 3 }), 3), [0, 0.5, 0.5])
  })

  test('polynomial: t (t + 1) / 2 for gamma 2, equal for 0', () => {
    // Weights t^(gamma), rising: products of gamma consecutive numbers.
    const rising = [1, 2, 3, 4].map((t) => t * (t + 1))
    const sum = rising.reduce((total, value) => total + value, 0)
    close(
      shares(polynomialAverage({ gamma: 2 }), 4),
      rising.map((value) => value / sum),
    )
    close(shares(polynomialAverage({ gamma: 0 }), 3), [1 / 3, 1 / 3, 1 / 3])
    expect(polynomialAverage()(10)).toBe(0.5)
  })
})

test.each([
  [() => ema({ decay: 1 }), 'ema: decay must be a finite number >= 0 and < 1, got 1'],
  [() => ema({ decay: () => 0.5, warmup: 'corrected' }), 'ema: decay must be a finite number'],
  [() => swa({ every: 0 }), 'swa: every must be an integer >= 1, got 0'],
  [() => tailAverage({ steps: 4, part: 0 }), 'tailAverage: part must be a finite number > 0 and <= 1, got 0'],
  [() => polynomialAverage({ gamma: -1 }), 'polynomialAverage: gamma must be a finite number >= 0, got -1'],
])('refuses (%#)', (make, message) => {
  expect(make).toThrow(expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringContaining(message) }))
})
