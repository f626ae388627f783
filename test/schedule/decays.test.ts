import { describe, expect, test } from 'vitest'
import {
  constantWarmup,
  cosine,
  cosineRestarts,
  exponentialWarmup,
  inverseSquareRoot,
  linearDecay,
  polynomialDecay,
  product,
  type Schedule,
  sequence,
  stepDecay,
  valueAt,
  wsd,
} from '../../lib/schedule/index.js'

const values = (schedule: Schedule, steps: readonly number[]) => steps.map((step) => valueAt(schedule, step))
const close = (actual: readonly number[], expected: readonly number[]) => {
  expect(actual.length).toBe(expected.length)
  for (const [index, value] of actual.entries()) expect(value).toBeCloseTo(expected[index]!, 12)
}

describe('warm-up', () => {
  test('constant: a smaller value first', () => {
    expect(values(constantWarmup({ peak: 8, from: 2, steps: 3 }), [1, 3, 4, 99])).toEqual([2, 2, 8, 8])
  })

  test('exponential: 1 - 1/e after one time constant, and nearly linear at first', () => {
    const schedule = exponentialWarmup({ peak: 2, timescale: 1000 })
    close(values(schedule, [1000, 2000]), [2 * (1 - Math.exp(-1)), 2 * (1 - Math.exp(-2))])
    expect(schedule(1) / (2 / 1000)).toBeCloseTo(1, 3)
  })
})

describe('step decay', () => {
  test('after every n steps', () => {
    expect(values(stepDecay({ peak: 8, factor: 0.5, after: 3 }), [1, 3, 4, 6, 7])).toEqual([8, 8, 4, 4, 2])
  })

  test('after a list of steps', () => {
    close(values(stepDecay({ peak: 1, after: [2, 5] }), [1, 2, 3, 5, 6, 100]), [1, 1, 0.1, 0.1, 0.01, 0.01])
  })
})

describe('polynomial decay', () => {
  test('power 2 down to the floor', () => {
    const schedule = polynomialDecay({ peak: 10, steps: 6, warmup: 2, floor: 2 })
    close(values(schedule, [1, 2, 3, 4, 6, 7]), [5, 10, 2 + 8 * 0.75 ** 2, 2 + 8 * 0.5 ** 2, 2, 2])
  })

  test('power 1 is the linear decay', () => {
    const options = { peak: 3, steps: 20, warmup: 4, floor: 1 }
    const steps = Array.from({ length: 24 }, (_, step) => step + 1)
    close(values(polynomialDecay({ ...options, power: 1 }), steps), values(linearDecay(options), steps))
  })
})

describe('cosine with restarts', () => {
  test('periods of one length begin at the peak', () => {
    const schedule = cosineRestarts({ peak: 2, period: 4 })
    const period = [2, 1 + Math.SQRT1_2, 1, 1 - Math.SQRT1_2]
    close(values(schedule, [1, 2, 3, 4, 5, 6, 7, 8, 4001]), [...period, ...period, 2])
  })

  test('periods grow, peaks shrink', () => {
    const schedule = cosineRestarts({ peak: 8, period: 2, growth: 2, damping: 0.5, floor: 1 })
    // Periods of 2, 4, 8 steps with peaks 8, 4, 2.
    close(values(schedule, [1, 2, 3, 5, 7, 11]), [8, 4.5, 4, 2.5, 2, 1.5])
  })

  test('one period, a step late, is the cosine', () => {
    const schedule = cosineRestarts({ peak: 3, period: 10, floor: 1 })
    const whole = cosine({ peak: 3, steps: 10, floor: 1 })
    for (let step = 1; step < 10; step++) expect(schedule(step + 1)).toBeCloseTo(whole(step), 12)
  })
})

describe('warm-up, stable, decay', () => {
  const options = { peak: 4, steps: 20, warmup: 2, decay: 8, floor: 1 }

  test('warm-up and plateau, whatever the shape', () => {
    for (const shape of ['linear', 'cosine', 'exponential', 'one-minus-sqrt'] as const) {
      expect(values(wsd({ ...options, shape }), [1, 2, 3, 12])).toEqual([2, 4, 4, 4])
    }
  })

  test.each([
    ['linear', [1 - 0.125, 0.75, 0.5, 0]],
    ['cosine', [(1 + Math.cos(Math.PI / 8)) / 2, (1 + Math.SQRT1_2) / 2, 0.5, 0]],
    ['one-minus-sqrt', [1 - Math.sqrt(0.125), 0.5, 1 - Math.SQRT1_2, 0]],
    ['exponential', [0.5, 0.25, 1 / 16, 1 / 256]],
  ] as const)('%s', (shape, parts) => {
    close(
      values(wsd({ ...options, shape }), [13, 14, 16, 20]),
      parts.map((part) => 1 + 3 * part),
    )
    expect(wsd({ ...options, shape })(1000)).toBe(wsd({ ...options, shape })(20))
  })

  test('a tenth of the run decays by default, by 1 - sqrt; the half-life is an option', () => {
    close(values(wsd({ peak: 1, steps: 40 }), [36, 37, 40]), [1, 0.5, 0])
    close(values(wsd({ ...options, shape: 'exponential', halfLife: 2 }), [14, 16]), [2.5, 1.75])
  })
})

test('inverse square root: the peak at the end of the warm-up, half of it after four times as long', () => {
  close(values(inverseSquareRoot({ peak: 6, warmup: 100 }), [50, 100, 400, 900]), [3, 6, 3, 2])
})

test('schedules compose', () => {
  const schedule = product(
    sequence({ schedule: constantWarmup({ peak: 1, from: 0.5, steps: 2 }) }),
    stepDecay({ peak: 4, factor: 0.5, after: 3 }),
  )
  expect(values(schedule, [1, 2, 3, 4])).toEqual([2, 2, 4, 2])
})

test.each([
  [() => constantWarmup({ peak: 1, from: 1 } as never), 'constantWarmup: steps must be an integer >= 1, got undefined'],
  [
    () => exponentialWarmup({ peak: 1, timescale: 0 }),
    'exponentialWarmup: timescale must be a finite number > 0, got 0',
  ],
  [
    () => stepDecay({ peak: 1, after: [3, 3] }),
    'stepDecay: after must be a number or a list of steps in ascending order',
  ],
  [() => stepDecay({ peak: 1, after: [0] }), 'stepDecay: after[0] must be an integer >= 1, got 0'],
  [() => polynomialDecay({ peak: 1, steps: 3, power: 0 }), 'polynomialDecay: power must be a finite number > 0, got 0'],
  [() => cosineRestarts({ peak: 1, period: 3, growth: 0.5 }), 'cosineRestarts: growth must be a finite number >= 1'],
  [() => wsd({ peak: 1, steps: 10, warmup: 5, decay: 6 }), 'wsd: decay must be an integer >= 1 and <= 5, got 6'],
  [
    () => wsd({ peak: 1, steps: 10, halfLife: 2 }),
    "wsd: halfLife must be left out, unless shape is 'exponential', got 2",
  ],
  [() => wsd({ peak: 1, steps: 10, shape: 'sqrt' as never }), "wsd: shape must be one of 'linear', 'cosine'"],
  [() => inverseSquareRoot({ peak: 1, warmup: 0 }), 'inverseSquareRoot: warmup must be an integer >= 1, got 0'],
])('options are refused with field, value and what is allowed (%#)', (make, message) => {
  expect(make).toThrow(expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringContaining(message) }))
})
