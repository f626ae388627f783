// Tunes every rule on every setting with the same number of learning rates, then measures it over the seeds.
import type { Device } from '../../lib/index.js'
import { warmUp } from '../../lib/train/preparation.js'
import type { Problem } from '../../lib/train/problem.js'
import { duration } from '../../lib/train/progress.js'
import type { Workbench } from '../../lib/train/training-run.js'
import type { Journal } from './journal.js'
import { type RuleName, studiedRules, trainee } from './rules.js'
import type { Setting, Task } from './tasks.js'
import type { Trial } from './trial.js'
import { tryTraining } from './trial.js'
import { bestRate, finalLossOf, judge, type RuleRuns, type SettingVerdict } from './verdict.js'

/** What is run. */
export interface Plan {
  readonly tasks: readonly Task[]
  readonly settings: (task: Task) => readonly Setting[]
  readonly rules: readonly RuleName[]
  /** The grid of learning rates, over its middle: the same for every rule, task and batch size. */
  readonly grid: readonly number[]
  /** Of the weights and batches of the tuning; apart from `seeds`. */
  readonly tuningSeed: number
  readonly seeds: readonly number[]
}

/** One task at one batch size. */
export interface SettingResult extends SettingVerdict {
  readonly task: string
  readonly description: string
  readonly batch: number
  readonly steps: number
  readonly evaluateEvery: number
}

export interface Surroundings {
  readonly device: Device
  readonly journal: Journal
  log(line: string): void
}

/** Evaluations of a measured run: how finely steps to a target are told. */
const evaluations = 40

/** Runs the plan, a result a setting. Runs take turns over the rules, seed by seed, so that a slow spell hits all of them. */
export async function* study(plan: Plan, surroundings: Surroundings): AsyncGenerator<SettingResult> {
  const runsEach = plan.rules.length * (plan.grid.length + plan.seeds.length)
  const counter = new RunCounter(
    plan.tasks.reduce((sum, task) => sum + plan.settings(task).length * runsEach, 0),
    surroundings.log,
  )
  // All of them first: what is missing is missed at the start.
  const problems = await Promise.all(plan.tasks.map((task) => task.problem()))
  for (const [index, task] of plan.tasks.entries()) {
    const problem = problems[index]!
    for (const setting of plan.settings(task)) {
      const evaluateEvery = Math.max(1, Math.round(setting.steps / evaluations))
      const bench = { device: surroundings.device, problem, ...setting, evaluateEvery }
      warmUp(problem, setting.batch)
      const runs = await runSetting(plan, task, bench, problem, surroundings, counter)
      yield { task: task.name, description: task.description, ...setting, evaluateEvery, ...judge(runs) }
    }
  }
}

async function runSetting(
  plan: Plan,
  task: Task,
  bench: Workbench,
  problem: Problem,
  { device, journal }: Surroundings,
  counter: RunCounter,
): Promise<readonly RuleRuns[]> {
  const { batch, steps } = bench
  const run = (rule: RuleName, learningRate: number, seed: number, evaluateEvery: number): Promise<Trial> => {
    const { description } = studiedRules[rule]
    const { isa, threads, name } = device
    const key = {
      task: task.description,
      batch,
      steps,
      evaluateEvery,
      rule,
      description,
      learningRate,
      seed,
      isa,
      threads,
      name,
    }
    counter.advance(`${task.name}, batch ${batch}, ${studiedRules[rule].title}, rate ${learningRate}, seed ${seed}`)
    return journal.run(key, () => tryTraining({ ...bench, problem, evaluateEvery }, trainee(rule), learningRate, seed))
  }

  const tuned: Omit<RuleRuns, 'runs'>[] = []
  for (const rule of plan.rules) {
    const tuning: { learningRate: number; finalLoss: number | null }[] = []
    for (const factor of plan.grid) {
      const learningRate = round((task.middleRates[rule] ?? task.middleRate) * factor)
      // Only final losses are compared.
      const trial = await run(rule, learningRate, plan.tuningSeed, steps)
      tuning.push({ learningRate, finalLoss: finalLossOf(trial) })
    }
    tuned.push({ rule, tuning, learningRate: bestRate(tuning) })
  }
  const runs = new Map<RuleName, Trial[]>(plan.rules.map((rule) => [rule, []]))
  for (const seed of plan.seeds) {
    for (const { rule, learningRate } of tuned) {
      if (learningRate !== null) runs.get(rule)!.push(await run(rule, learningRate, seed, bench.evaluateEvery))
    }
  }
  return tuned.map((entry) => ({ ...entry, runs: runs.get(entry.rule)! }))
}

/** Products of the grid without their last digits: 0.016 * 4 is 0.064. */
function round(rate: number): number {
  return Number(rate.toPrecision(6))
}

/** Says which run begins, and when the last will have ended. */
class RunCounter {
  readonly #total: number
  readonly #log: (line: string) => void
  readonly #start = performance.now()
  #begun = 0

  constructor(total: number, log: (line: string) => void) {
    this.#total = total
    this.#log = log
  }

  advance(label: string): void {
    const seconds = (performance.now() - this.#start) / 1000
    const left = this.#begun === 0 ? '' : `, ${duration((seconds / this.#begun) * (this.#total - this.#begun))} left`
    this.#begun++
    this.#log(`run ${this.#begun} of ${this.#total}${left}: ${label}`)
  }
}
