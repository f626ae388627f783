import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contenderNames, scheduleOf } from '../../lib/train/contenders.js'
import { bestOf, committedTuning, grid, tunedLearningRate, tuningSource } from '../../lib/train/learning-rates.js'

describe('tuned learning rates', () => {
  test.each(contenderNames)('%s was tuned over the whole grid, and its optimum is inside of it', (name) => {
    expect(committedTuning.trials[name].map(({ learningRate }) => learningRate)).toEqual(grid)
    const best = grid.indexOf(tunedLearningRate(name))
    expect(best).toBeGreaterThan(0)
    expect(best).toBeLessThan(grid.length - 1)
  })

  test('the committed file is what the sweep writes', () => {
    const file = join(import.meta.dirname, '../../lib/train/tuned-learning-rates.ts')
    expect(readFileSync(file, 'utf8')).toBe(tuningSource(committedTuning))
  })

  test('the lowest loss wins, diverged trials never', () => {
    const trial = (learningRate: number, finalLoss: number | null) => ({ learningRate, finalLoss })
    expect(bestOf([trial(1, 30), trial(2, 20), trial(4, null)])).toBe(2)
    expect(() => bestOf([trial(1, null)])).toThrow('every learning rate of the grid diverged')
  })
})

test('the schedule warms up, peaks once and ends at zero, for every number of steps', () => {
  for (const steps of [1, 2, 3, 20, 700]) {
    const rates = Array.from({ length: steps }, (_, index) => scheduleOf(0.5, steps)(index + 1))
    expect(rates.at(-1)).toBe(0)
    expect(rates.every((rate) => rate >= 0 && rate <= 0.5)).toBe(true)
    if (steps > 1) expect(Math.max(...rates)).toBe(0.5)
  }
})
