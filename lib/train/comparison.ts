import type { ContenderName } from './contenders.js'
import { baselineName } from './contenders.js'
import { meanSplit, type TimeSplit } from './time-split.js'
import type { Evaluation, TrainingRun } from './training-run.js'

/** One optimizer in the result; the fields and their order are those of `--json`. */
export interface OptimizerResult {
  readonly name: string
  readonly learningRate: number
  /** Median over the seeds; a seed that misses the target counts as infinite, and an infinite median is null. */
  readonly stepsToTarget: number | null
  /** Seconds of training, likewise. */
  readonly secondsToTarget: number | null
  /** Mean over the seeds; null where a run diverged. */
  readonly finalLoss: number | null
  /** Mean over steps and seeds. */
  readonly millisecondsPerStep: TimeSplit
}

/** What `--json` prints. */
export interface ComparisonResult {
  readonly steps: number
  /** AdamW's final training loss, mean over the seeds; null where AdamW did not run or diverged. */
  readonly target: number | null
  readonly optimizers: readonly OptimizerResult[]
}

/** All seeds of one optimizer. */
export interface Entry {
  readonly name: ContenderName
  readonly runs: readonly TrainingRun[]
}

/** Steps, or seconds, that each seed took to AdamW's final loss of the same seed; null for a seed that did not get there. */
export function reachedBySeed(
  entry: Entry,
  entries: readonly Entry[],
  axis: 'step' | 'seconds',
): readonly (number | null)[] {
  const targets = targetsBySeed(entries)
  return entry.runs.map((run) => {
    const target = targets.get(run.seed)
    return target === undefined ? null : firstAt(run, target, axis)
  })
}

/** Step, or seconds, of the first evaluation at or below the target; null where there is none. */
export function firstAt(
  { evaluations }: { readonly evaluations: readonly Evaluation[] },
  target: number,
  axis: 'step' | 'seconds',
): number | null {
  return evaluations.find(({ loss }) => loss <= target)?.[axis] ?? null
}

/** Condenses the runs into the table that people and `--json` get. */
export function summarize(entries: readonly Entry[], steps: number): ComparisonResult {
  const targets = [...targetsBySeed(entries).values()]
  return {
    steps,
    target: targets.length === 0 ? null : mean(targets),
    optimizers: entries.map((entry) => {
      const finals = entry.runs.map(finalLoss)
      return {
        name: entry.name,
        learningRate: entry.runs[0]!.learningRate,
        stepsToTarget: medianOrMiss(reachedBySeed(entry, entries, 'step')),
        secondsToTarget: medianOrMiss(reachedBySeed(entry, entries, 'seconds')),
        finalLoss: finals.includes(null) ? null : mean(finals as number[]),
        millisecondsPerStep: meanSplit(entry.runs.map((run) => run.millisecondsPerStep)),
      }
    }),
  }
}

/** Loss after the last step; null where the run diverged. */
export function finalLoss(run: TrainingRun): number | null {
  return run.divergedAt === null ? (run.evaluations.at(-1)?.loss ?? null) : null
}

/** Whether the loss fell by at least a quarter: what `--short` asserts. */
export function hasFallen(run: TrainingRun): boolean {
  const end = finalLoss(run)
  return end !== null && end < 0.75 * run.evaluations[0]!.loss
}

function targetsBySeed(entries: readonly Entry[]): Map<number, number> {
  const targets = new Map<number, number>()
  for (const run of entries.find(({ name }) => name === baselineName)?.runs ?? []) {
    const loss = finalLoss(run)
    if (loss !== null) targets.set(run.seed, loss)
  }
  return targets
}

function medianOrMiss(values: readonly (number | null)[]): number | null {
  const sorted = values.map((value) => value ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
  return Number.isFinite(median) ? median : null
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** The curve of an optimizer over its seeds: median, smallest and largest loss at each evaluated step. */
export interface Curve {
  readonly step: number
  readonly seconds: number
  readonly loss: number
  readonly low: number
  readonly high: number
}

/** Runs of one optimizer evaluate at the same steps; a diverged one simply ends earlier. */
export function curveOf(runs: readonly TrainingRun[]): Curve[] {
  const longest = Math.max(...runs.map(({ evaluations }) => evaluations.length))
  return Array.from({ length: longest }, (_, index) => {
    const present = runs.map(({ evaluations }) => evaluations[index]).filter((at): at is Evaluation => at !== undefined)
    const losses = present.map(({ loss }) => loss)
    return {
      step: present[0]!.step,
      seconds: mean(present.map(({ seconds }) => seconds)),
      loss: medianOrMiss(losses)!,
      low: Math.min(...losses),
      high: Math.max(...losses),
    }
  })
}
