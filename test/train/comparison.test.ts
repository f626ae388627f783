import { describe, expect, test } from 'vitest'
import { curveOf, type Entry, hasFallen, reachedBySeed, summarize } from '../../lib/train/comparison.js'
import type { ContenderName } from '../../lib/train/contenders.js'
import { failureNotes, findings, formatTable, headline, resultTable } from '../../lib/train/table.js'
import type { TrainingRun } from '../../lib/train/training-run.js'

const split = { gradient: 4, statistics: 1, refresh: 2, apply: 3 }

/** Losses at steps 0, 10, 20, ...; a step takes `pace` seconds. */
function run(seed: number, losses: readonly number[], pace = 1, divergedAt: number | null = null): TrainingRun {
  const evaluations = losses.map((loss, index) => ({ step: 10 * index, seconds: 10 * index * pace, loss }))
  return { learningRate: 0.01, seed, evaluations, millisecondsPerStep: split, failures: 0, divergedAt }
}
const entry = (name: ContenderName, ...runs: TrainingRun[]): Entry => ({ name, runs })

describe('the comparison', () => {
  const adamw = entry('adamw', run(1, [100, 60, 50]), run(2, [100, 55, 40]), run(3, [100, 70, 45]))

  test('every seed has its own target, and the first evaluation at or below it counts', () => {
    const muon = entry('muon', run(1, [100, 50, 20]), run(2, [100, 41, 39]), run(3, [100, 30, 20]))
    expect(reachedBySeed(muon, [adamw, muon], 'step')).toEqual([10, 20, 10])
    const { target, optimizers } = summarize([adamw, muon], 20)
    expect(target).toBe(45)
    expect(optimizers[0]).toMatchObject({ stepsToTarget: 20, secondsToTarget: 20, finalLoss: 45 })
    expect(optimizers[1]).toMatchObject({ name: 'muon', stepsToTarget: 10, secondsToTarget: 10 })
  })

  test('a seed that misses the target counts as infinite', () => {
    const one = entry('muon', run(1, [100, 40]), run(2, [100, 90]), run(3, [100, 40]))
    expect(summarize([adamw, one], 20).optimizers[1]!.stepsToTarget).toBe(10)
    const two = entry('shampoo', run(1, [100, 90]), run(2, [100, 90]), run(3, [100, 40]))
    expect(summarize([adamw, two], 20).optimizers[1]).toMatchObject({ stepsToTarget: null, secondsToTarget: null })
    const table = formatTable(resultTable(summarize([adamw, one, two], 20), [adamw, one, two]))
    expect(table).toContain('10 (50 %), 1 of 3 seeds missed')
  })

  test('a diverged run has no final loss, and a diverged AdamW sets no target', () => {
    const diverged = entry('adamw', run(1, [100, 900], 1, 12))
    const muon = entry('muon', run(1, [100, 50]))
    const result = summarize([diverged, muon], 20)
    expect(result.target).toBeNull()
    expect(result.optimizers.map(({ finalLoss }) => finalLoss)).toEqual([null, 50])
    expect(findings(result)).toEqual(['AdamW diverged, so there is no target.'])
    expect(formatTable(resultTable(result, [diverged, muon]))).toMatch(/AdamW +0.01 +- +- +diverged/)
    expect(hasFallen(diverged.runs[0]!)).toBe(false)
  })

  test('findings are told for better or worse', () => {
    const muon = entry('muon', run(1, [100, 40], 0.5), run(2, [100, 40], 0.5), run(3, [100, 40], 0.5))
    const shampoo = entry('shampoo', run(1, [100, 90]), run(2, [100, 90]), run(3, [100, 90]))
    expect(findings(summarize([adamw, muon, shampoo], 20))).toEqual([
      "Muon reaches AdamW's final training loss in 10 of its 20 steps, in 5.0 s instead of 20 s.",
      "Shampoo does not reach AdamW's final training loss in 20 steps.",
    ])
    expect(headline(summarize([adamw, muon, shampoo], 20))).toBe(
      "Muon reaches AdamW's final training loss in 50 % of its steps, Shampoo does not.",
    )
    expect(headline(summarize([adamw, shampoo, muon], 20))).toBe(
      "Shampoo does not reach AdamW's final training loss, Muon reaches it in 50 % of its steps.",
    )
    expect(headline(summarize([adamw, { ...muon, name: 'shampoo' }, muon], 20))).toBe(
      "Shampoo reaches AdamW's final training loss in 50 % of its steps, Muon in 50 %.",
    )
    expect(headline(summarize([adamw, shampoo], 20))).toBe("Shampoo does not reach AdamW's final training loss.")
    expect(findings(summarize([muon], 20))).toEqual(['AdamW did not run, so there is no target.'])
  })

  test('failed solves are told, and only they', () => {
    expect(
      failureNotes([adamw, entry('shampoo', { ...run(1, [1]), failures: 2 }, { ...run(2, [1]), failures: 1 })]),
    ).toEqual(['Shampoo: 3 matrices were not solved and kept their stale answer.'])
  })

  test('a loss has fallen when a quarter of it is gone', () => {
    expect(hasFallen(run(1, [100, 74.9]))).toBe(true)
    expect(hasFallen(run(1, [100, 75]))).toBe(false)
    expect(hasFallen(run(1, [100]))).toBe(false)
  })

  test('a curve is the median over the seeds with their range; a diverged seed ends earlier', () => {
    const curve = curveOf([run(1, [100, 60, 50]), run(2, [100, 40, 20]), run(3, [100, 90], 1, 15)])
    expect(curve.map(({ step, loss, low, high }) => [step, loss, low, high])).toEqual([
      [0, 100, 100, 100],
      [10, 60, 40, 90],
      [20, 35, 20, 50],
    ])
  })

  test('columns of the table line up', () => {
    const lines = formatTable(resultTable(summarize([adamw], 20), [adamw])).split('\n')
    expect(lines[0]!.length).toBe(lines[1]!.length)
    expect(lines[2]!.length).toBe(lines[1]!.length)
    expect(lines[2]).toMatch(/10\.0 +4\.0 +1\.0 +2\.0 +3\.0$/)
  })
})
