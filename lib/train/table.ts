import { type ComparisonResult, type Entry, reachedBySeed } from './comparison.js'
import { baselineName, contenders } from './contenders.js'
import { phases, totalOf } from './time-split.js'

/** The result as text cells, for the terminal and for the report. */
export interface ResultTable {
  readonly headings: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

export function resultTable(result: ComparisonResult, entries: readonly Entry[]): ResultTable {
  return {
    headings: [
      'optimizer',
      'learning rate',
      'steps to target',
      'seconds to target',
      'final loss',
      'ms per step',
      ...phases,
    ],
    rows: result.optimizers.map((row, index) => [
      contenders[entries[index]!.name].title,
      String(row.learningRate),
      `${stepsCell(row.stepsToTarget, result.steps)}${missedCell(entries[index]!, entries)}`,
      row.secondsToTarget === null ? '-' : row.secondsToTarget.toFixed(1),
      row.finalLoss === null ? 'diverged' : row.finalLoss.toFixed(2),
      totalOf(row.millisecondsPerStep).toFixed(1),
      ...phases.map((phase) => row.millisecondsPerStep[phase].toFixed(1)),
    ]),
  }
}

/** Failed roots and orthogonalizations, where there were any: each was answered by what the step before had. */
export function failureNotes(entries: readonly Entry[]): string[] {
  return entries.flatMap(({ name, runs }) => {
    const failures = runs.reduce((sum, run) => sum + run.failures, 0)
    return failures === 0
      ? []
      : [`${contenders[name].title}: ${failures} matrices were not solved and kept their stale answer.`]
  })
}

function stepsCell(steps: number | null, total: number): string {
  return steps === null ? '-' : `${steps} (${Math.round((100 * steps) / total)} %)`
}

/** Says so where not every seed reached the target. */
function missedCell(entry: Entry, entries: readonly Entry[]): string {
  const reached = reachedBySeed(entry, entries, 'step')
  const missed = reached.filter((step) => step === null).length
  return missed === 0 || missed === reached.length ? '' : `, ${missed} of ${reached.length} seeds missed`
}

/** The table in columns: the first to the left, numbers to the right. */
export function formatTable({ headings, rows }: ResultTable): string {
  const lines = [headings, ...rows]
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  const format = (line: readonly string[]) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd()
  const rule = widths.map((width) => '-'.repeat(width)).join('  ')
  return [format(headings), rule, ...rows.map(format)].join('\n')
}

/** One sentence a contender: what the comparison found, for better or worse. */
export function findings(result: ComparisonResult): string[] {
  const baseline = result.optimizers.find(({ name }) => name === baselineName)
  if (baseline === undefined || result.target === null) {
    return [
      baseline === undefined ? 'AdamW did not run, so there is no target.' : 'AdamW diverged, so there is no target.',
    ]
  }
  const others = result.optimizers.filter(({ name }) => name !== baselineName)
  if (others.length === 0) return [`AdamW ends at a training loss of ${result.target.toFixed(2)}.`]
  return others.map(({ name, stepsToTarget, secondsToTarget }) => {
    const title = contenders[name as keyof typeof contenders].title
    if (stepsToTarget === null || secondsToTarget === null) {
      return `${title} does not reach AdamW's final training loss in ${result.steps} steps.`
    }
    const inSteps = `${title} reaches AdamW's final training loss in ${stepsToTarget} of its ${result.steps} steps`
    return `${inSteps}, in ${inSeconds(secondsToTarget)} instead of ${inSeconds(baseline.secondsToTarget!)}.`
  })
}

/** The findings in one short sentence. */
export function headline(result: ComparisonResult): string {
  const others = result.optimizers.filter(({ name }) => name !== baselineName)
  if (result.target === null || others.length === 0) return findings(result)[0]!
  const goal = "AdamW's final training loss"
  const clauses = others.map(({ name, stepsToTarget }, index) => {
    const title = contenders[name as keyof typeof contenders].title
    if (stepsToTarget === null) return `${title} does not${index === 0 ? ` reach ${goal}` : ''}`
    const share = `${Math.round((100 * stepsToTarget) / result.steps)} %`
    return index === 0 || others[index - 1]!.stepsToTarget === null
      ? `${title} reaches ${index === 0 ? goal : 'it'} in ${share} of its steps`
      : `${title} in ${share}`
  })
  return `${clauses.join(', ')}.`
}

function inSeconds(seconds: number): string {
  return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`
}
