// The results for people.
import { formatTable } from '../../lib/train/table.js'
import { phases, totalOf } from '../../lib/train/time-split.js'
import { formatInterval, type Interval } from './interval.js'
import { baselineRule, studiedRules } from './rules.js'
import type { SettingResult } from './study.js'
import type { RuleVerdict } from './verdict.js'

const headings = ['rule', 'rate', 'final loss', 'steps to target', 'seconds to target', 'ms per step', ...phases]

/** One table, with what the numbers are and what went wrong. */
export function formatSetting(result: SettingResult): string {
  const { task, description, batch, steps, evaluateEvery, target, rules } = result
  const goal = "target: AdamW's final loss of the same seed"
  const average = target === null ? '; AdamW diverged with a seed' : `, ${formatInterval(target, 3)} on average`
  return [
    `${task}, batch ${batch}, ${steps} steps: ${description}; loss measured every ${evaluateEvery} steps; ${goal}${average}`,
    formatTable({ headings, rows: rules.map((rule) => cells(rule, steps)) }),
    ...rules.flatMap(notes),
  ].join('\n')
}

function cells(verdict: RuleVerdict, steps: number): string[] {
  const { rule, learningRate, atEdge, finalLoss, stepsToTarget, secondsToTarget, millisecondsPerStep } = verdict
  const share = stepsToTarget === null ? '' : ` (${Math.round((100 * stepsToTarget.mean) / steps)} %)`
  return [
    studiedRules[rule].title,
    learningRate === null ? '-' : `${learningRate}${atEdge ? '*' : ''}`,
    finalLoss === null ? 'diverged' : formatInterval(finalLoss, 3),
    orMissed(stepsToTarget, 0, verdict) + share,
    orMissed(secondsToTarget, 2, verdict),
    ...(millisecondsPerStep === null
      ? ['-', ...phases.map(() => '-')]
      : [totalOf(millisecondsPerStep), ...phases.map((phase) => millisecondsPerStep[phase])].map((ms) =>
          ms.toFixed(2),
        )),
  ]
}

function orMissed(value: Interval | null, digits: number, { missed, runs }: RuleVerdict): string {
  if (value !== null) return formatInterval(value, digits)
  return missed === 0 ? '-' : `missed by ${missed} of ${runs.length}`
}

function notes({ rule, learningRate, diverged, runs, failures, tuning }: RuleVerdict): string[] {
  const { title } = studiedRules[rule]
  const lost = tuning.filter(({ finalLoss }) => finalLoss === null).map(({ learningRate: rate }) => rate)
  return [
    ...(learningRate === null ? [`${title} diverged at every learning rate of its grid.`] : []),
    ...(learningRate !== null && lost.length > 0 ? [`${title} diverged in tuning at ${lost.join(', ')}.`] : []),
    ...(diverged > 0 ? [`${title} diverged with ${diverged} of ${runs.length} seeds.`] : []),
    ...(failures > 0 ? [`${title}: ${failures} matrices were not solved and kept their stale answer.`] : []),
    ...runs.flatMap(({ seed, error }) => (error === null ? [] : [`${title}, seed ${seed}: ${error}`])),
  ]
}

/** The batch-size sweep of every task that has one: steps and seconds to the target, over AdamW's. */
export function formatSweeps(results: readonly SettingResult[]): string[] {
  return [...new Set(results.map(({ task }) => task))].flatMap((task) => {
    const sweep = results.filter((result) => result.task === task)
    if (sweep.length < 2) return []
    const rows = sweep[0]!.rules.map(({ rule }) => [
      studiedRules[rule].title,
      ...sweep.map(({ rules }) => sweepCell(rules.find((other) => other.rule === rule)!, rules)),
    ])
    const table = formatTable({ headings: ['rule', ...sweep.map(({ batch }) => `batch ${batch}`)], rows })
    return [`${task}: steps and seconds to the target, over AdamW's\n${table}`]
  })
}

function sweepCell({ stepsToTarget, secondsToTarget }: RuleVerdict, rules: readonly RuleVerdict[]): string {
  const baseline = rules.find(({ rule }) => rule === baselineRule)
  const over = (own: Interval | null, other: Interval | null | undefined) =>
    own && other ? (own.mean / other.mean).toFixed(2) : undefined
  const steps = over(stepsToTarget, baseline?.stepsToTarget)
  return steps === undefined ? '-' : `${steps}, ${over(secondsToTarget, baseline?.secondsToTarget)}`
}

/** What stands under all tables. */
export function legend(seeds: number): string {
  const spread =
    seeds === 1
      ? 'One seed: no interval.'
      : `+- is the 95 % confidence interval of the mean over ${seeds} seeds (Student's t, ${seeds - 1} degrees of freedom).`
  return `${spread} Seconds are those of gradients and steps. * marks a best learning rate at the edge of its grid.`
}
