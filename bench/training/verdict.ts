// What the runs of one setting say: who reached AdamW's final loss, when, and at what price a step.
import { firstAt } from '../../lib/train/comparison.js'
import { meanSplit, type TimeSplit } from '../../lib/train/time-split.js'
import { type Interval, interval } from './interval.js'
import { baselineRule, type RuleName, studiedRules } from './rules.js'
import type { Trial } from './trial.js'

/** One learning rate of a tuning; null where the run diverged. */
export interface TunedRate {
  readonly learningRate: number
  readonly finalLoss: number | null
}

/** All runs of one rule in one setting. */
export interface RuleRuns {
  readonly rule: RuleName
  readonly tuning: readonly TunedRate[]
  /** The rate with the lowest final loss; null where every one diverged, and then there are no runs. */
  readonly learningRate: number | null
  readonly runs: readonly Trial[]
}

/** A row of the table and of `--json`. */
export interface RuleVerdict extends RuleRuns {
  readonly options: string
  /** The best rate is the first or the last of the grid: a wider one might have found a better. */
  readonly atEdge: boolean
  /** Null where a seed diverged. */
  readonly finalLoss: Interval | null
  /** To AdamW's final loss of the same seed; null where a seed missed it, or where there is no target. */
  readonly stepsToTarget: Interval | null
  readonly secondsToTarget: Interval | null
  /** Seeds that have a target and did not reach it. */
  readonly missed: number
  readonly diverged: number
  /** Matrices that were not solved and kept their stale answer, over all measured runs. */
  readonly failures: number
  /** Mean over the steps of all measured runs; null where there is none. */
  readonly millisecondsPerStep: TimeSplit | null
}

export interface SettingVerdict {
  /** AdamW's final loss over the seeds; null where it diverged. */
  readonly target: Interval | null
  readonly rules: readonly RuleVerdict[]
}

/** The final loss of a run; null where it diverged. */
export function finalLossOf({ divergedAt, evaluations }: Trial): number | null {
  return divergedAt === null ? (evaluations.at(-1)?.loss ?? null) : null
}

export function judge(all: readonly RuleRuns[]): SettingVerdict {
  const baseline = all.find(({ rule }) => rule === baselineRule)?.runs ?? []
  const targets = new Map(baseline.map((run) => [run.seed, finalLossOf(run)]))
  return {
    target: interval([...targets.values()]),
    rules: all.map((entry) => judgeRule(entry, targets)),
  }
}

function judgeRule(entry: RuleRuns, targets: ReadonlyMap<number, number | null>): RuleVerdict {
  const { runs, tuning, learningRate } = entry
  const reached = (axis: 'step' | 'seconds') =>
    runs.map((run) => {
      const target = targets.get(run.seed) ?? null
      return target === null ? null : firstAt(run, target, axis)
    })
  const steps = reached('step')
  const splits = runs.flatMap(({ millisecondsPerStep }) => millisecondsPerStep ?? [])
  return {
    ...entry,
    options: studiedRules[entry.rule].description,
    atEdge: [tuning[0], tuning.at(-1)].some((end) => end?.learningRate === learningRate),
    finalLoss: interval(runs.map(finalLossOf)),
    stepsToTarget: interval(steps),
    secondsToTarget: interval(reached('seconds')),
    missed: runs.filter(({ seed }, index) => (targets.get(seed) ?? null) !== null && steps[index] === null).length,
    diverged: runs.filter(({ divergedAt }) => divergedAt !== null).length,
    failures: runs.reduce((sum, run) => sum + run.failures, 0),
    millisecondsPerStep: splits.length === 0 ? null : meanSplit(splits),
  }
}

/** The rate with the lowest final loss; null where every one diverged. */
export function bestRate(tuning: readonly TunedRate[]): number | null {
  const finished = tuning.filter(({ finalLoss }) => finalLoss !== null)
  if (finished.length === 0) return null
  return finished.reduce((best, other) => (other.finalLoss! < best.finalLoss! ? other : best)).learningRate
}
