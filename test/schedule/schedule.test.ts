import { describe, expect, test } from 'vitest'
import {
  constant,
  cosine,
  linearDecay,
  linearWarmup,
  product,
  type Schedule,
  sequence,
  valueAt,
} from '../../lib/schedule/index.js'
import { hyperparameter } from '../../lib/schedule/validate.js'

const values = (schedule: Schedule, steps: readonly number[]) => steps.map((step) => valueAt(schedule, step))

describe('schedules', () => {
  test('constant', () => expect(values(constant(0.3), [1, 2, 1000])).toEqual([0.3, 0.3, 0.3]))

  test('linearWarmup ramps to the peak and stays', () => {
    expect(values(linearWarmup({ peak: 8, steps: 4 }), [1, 2, 3, 4, 5, 100])).toEqual([2, 4, 6, 8, 8, 8])
    expect(values(linearWarmup({ peak: 1, steps: 2, from: 0.5 }), [1, 2, 3])).toEqual([0.75, 1, 1])
  })

  test('linearDecay warms up, falls in a straight line and stays at the floor', () => {
    const schedule = linearDecay({ peak: 10, steps: 6, warmup: 2, floor: 2 })
    expect(values(schedule, [1, 2, 3, 4, 5, 6, 7])).toEqual([5, 10, 8, 6, 4, 2, 2])
    expect(values(linearDecay({ peak: 4, steps: 4 }), [1, 2, 3, 4, 5])).toEqual([3, 2, 1, 0, 0])
  })

  test('cosine: peak at the end of the warm-up, half way at the middle, floor at the end', () => {
    const schedule = cosine({ peak: 3, steps: 12, warmup: 2, floor: 1 })
    expect(schedule(1)).toBe(1.5)
    expect(schedule(2)).toBe(3)
    expect(schedule(7)).toBeCloseTo(2, 14)
    expect(schedule(2 + 10 / 3)).toBeCloseTo(1 + 2 * 0.75, 14)
    expect(values(schedule, [12, 13, 99])).toEqual([1, 1, 1])
  })

  test('sequence counts from 1 inside every stretch', () => {
    const seen: number[] = []
    const schedule = sequence(
      { schedule: 7, steps: 2 },
      {
        schedule: (step) => {
          seen.push(step)
          return step
        },
        steps: 3,
      },
      { schedule: (step) => 100 + step },
    )
    expect(values(schedule, [1, 2, 3, 4, 5, 6, 7])).toEqual([7, 7, 1, 2, 3, 101, 102])
    expect(seen).toEqual([1, 2, 3])
  })

  test('a sequence whose last stretch is finite goes on with it', () => {
    expect(values(sequence({ schedule: 1, steps: 1 }, { schedule: (step) => step, steps: 2 }), [2, 3, 4])).toEqual([
      1, 2, 3,
    ])
  })

  test('product', () => {
    const schedule = product(2, linearWarmup({ peak: 1, steps: 4 }), (step) => step)
    expect(values(schedule, [1, 2, 4, 5])).toEqual([0.5, 2, 8, 10])
  })

  test.each([
    [() => linearWarmup({ peak: 1, steps: 0 }), 'linearWarmup: steps must be an integer >= 1, got 0'],
    [() => cosine({ peak: Number.NaN, steps: 4 }), 'cosine: peak must be a finite number, got NaN'],
    [() => cosine({ peak: 1, steps: 4, warmup: 4 }), 'cosine: steps must be an integer > 4, got 4'],
    [
      () => linearDecay({ peak: 1, steps: 4, warmUp: 1 } as never),
      "linearDecay: there is no option 'warmUp'; there are peak, steps, warmup, floor",
    ],
    [() => sequence(), 'sequence: stretches must be at least one { schedule, steps }, got []'],
    [
      () => sequence({ schedule: 1 }, { schedule: 2 }),
      'sequence: stretches[0].steps must be an integer >= 1, got undefined',
    ],
    [
      () => product(1, 'fast' as never),
      "product: schedules[1] must be a finite number or a function of the step, got 'fast'",
    ],
  ])('refuses with field, value and what is allowed (%#)', (make, message) => {
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringContaining(message) }))
  })
})

describe('hyperparameter', () => {
  test('a number is checked at once', () => {
    expect(() => hyperparameter('adamw', 'beta1', 1, { min: 0, below: 1 })).toThrow(
      'adamw: beta1 must be a finite number >= 0 and < 1, got 1',
    )
  })

  test('a function is checked at the step that goes wrong', () => {
    const beta = hyperparameter('adamw', 'beta1', (step) => step / 10, { min: 0, below: 1 })
    expect(beta(9)).toBe(0.9)
    expect(() => beta(10)).toThrow('adamw: beta1 at step 10 must be a finite number >= 0 and < 1, got 1')
  })
})
