// npm run -s bench -- training: steps and seconds to AdamW's final loss, over tasks, batch sizes and seeds.
import { resolve } from 'node:path'
import type { Device } from '../lib/index.js'
import { Journal } from './training/journal.js'
import { formatSetting, formatSweeps, legend } from './training/report.js'
import { ruleNames } from './training/rules.js'
import { type Plan, type SettingResult, study } from './training/study.js'
import { tasks } from './training/tasks.js'

export interface TrainingContext {
  readonly quick: boolean
  readonly device: Device
  /** File of finished runs, to go on from. */
  readonly journal: string | undefined
  log(line: string): void
}

export interface TrainingResult {
  /** Whether it was cut down to a check that everything runs: its numbers compare nothing. */
  readonly comparable: boolean
  /** Tried learning rates over the middle of the grid. */
  readonly grid: readonly number[]
  readonly tuningSeed: number
  readonly seeds: readonly number[]
  readonly settings: readonly SettingResult[]
}

const full: Plan = {
  tasks,
  settings: (task) => task.settings,
  rules: ruleNames,
  grid: [1 / 4, 1 / 2, 1, 2, 4],
  tuningSeed: 0,
  seeds: [1, 2, 3],
}

const quickPlan: Plan = { ...full, settings: (task) => [task.quick], grid: [1 / 2, 1, 2], seeds: [1] }

export async function run({ quick, device, journal, log }: TrainingContext): Promise<TrainingResult> {
  const plan = quick ? quickPlan : full
  const settings: SettingResult[] = []
  const kept = new Journal(journal === undefined ? undefined : resolve(journal))
  for await (const setting of study(plan, { device, journal: kept, log })) {
    settings.push(setting)
    log(`\n${formatSetting(setting)}\n`)
  }
  const { grid, tuningSeed, seeds } = plan
  return { comparable: !quick, grid, tuningSeed, seeds, settings }
}

export function format({ comparable, seeds, settings }: TrainingResult): string {
  return [
    ...(comparable ? [] : ['QUICK RUN: a check that everything runs; nothing here can be compared.']),
    ...settings.map(formatSetting),
    ...formatSweeps(settings),
    legend(seeds.length),
  ].join('\n\n')
}
