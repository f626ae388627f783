import { type ComparisonResult, type Entry, hasFallen, summarize } from './comparison.js'
import { type ContenderName, contenders } from './contenders.js'
import { committedTuning, tunedLearningRate } from './learning-rates.js'
import { describeMachine } from './machine.js'
import { Pace } from './pace.js'
import { describeDevice, evaluationImages, type Preparation, prepare } from './preparation.js'
import type { Progress } from './progress.js'
import { loadCharts } from './report/charts.js'
import { type ReportInput, reportHtml } from './report/report.js'
import { RunFolder, runName } from './run-folder.js'
import { type TrainingRun, train, type Workbench } from './training-run.js'

export interface ComparisonOptions {
  readonly optimizers: readonly ContenderName[]
  /** Seeds 1..seeds. */
  readonly seeds: number
  readonly batch: number
  readonly steps: number
  readonly evaluateEvery: number
  /** Folder in which the run's folder is created. */
  readonly out: string
}

export interface FinishedComparison {
  readonly result: ComparisonResult
  readonly entries: readonly Entry[]
  readonly folder: string
  readonly report: string
  /** Runs, in words, whose loss did not fall by a quarter: what `--short` fails on. */
  readonly failed: readonly string[]
}

/**
 * The main job: trains the autoencoder with every optimizer, from the same weights and on the same batches, and leaves
 * metrics.jsonl, config.json, report.html and summary.json in a new folder of `options.out`.
 *
 * @throws UsageError before anything is written where the data set, a package or the addon is missing, or where the
 *   folder cannot be written.
 */
export async function compare(options: ComparisonOptions, progress: Progress): Promise<FinishedComparison> {
  const charts = await loadCharts()
  const bench = await prepare(options)
  const started = new Date()
  const folder = new RunFolder(options.out, runName('compare', started))
  const config = describeConfiguration(options, bench, started)
  folder.writeJson('config.json', config)

  const runs = await trainAll(options, bench, folder, progress)
  const entries = options.optimizers.map((name) => ({ name, runs: runs.get(name)! }))
  const result = summarize(entries, options.steps)
  const report = folder.write('report.html', reportHtml({ result, entries, config }, charts))
  folder.complete('summary.json', { ...result, runs: entries, machine: config.machine })

  const failed = entries.flatMap(({ name, runs }) => {
    return runs.filter((run) => !hasFallen(run)).map(({ seed }) => `${contenders[name].title}, seed ${seed}`)
  })
  return { result, entries, folder: folder.path, report, failed }
}

async function trainAll(
  { optimizers, seeds }: ComparisonOptions,
  bench: Workbench,
  folder: RunFolder,
  progress: Progress,
): Promise<Map<ContenderName, TrainingRun[]>> {
  const pace = new Pace(optimizers.length * seeds * bench.steps)
  const runs = new Map<ContenderName, TrainingRun[]>(optimizers.map((name) => [name, []]))
  for (let seed = 1; seed <= seeds; seed++) {
    for (const name of optimizers) {
      const contender = contenders[name]
      const label = `${contender.title}, seed ${seed}`
      const run = await train(bench, contender, tunedLearningRate(name), seed, (record) => {
        folder.metric(record)
        pace.advance()
        progress.show({
          label,
          step: record.step,
          steps: bench.steps,
          loss: record.batchLoss,
          samplesPerSecond: (record.step * bench.batch) / record.seconds,
          secondsLeft: pace.secondsLeft(),
        })
      })
      runs.get(name)!.push(run)
    }
  }
  progress.clear()
  return runs
}

/** What config.json holds: everything that decides the outcome, and where it was measured. */
function describeConfiguration(
  { optimizers, seeds, batch, steps, evaluateEvery }: ComparisonOptions,
  { model, images, device }: Preparation,
  started: Date,
): ReportInput['config'] {
  const { command, date, batch: tunedBatch, steps: tunedSteps, seed: tunedSeed, trials } = committedTuning
  return {
    schemaVersion: 1,
    started: started.toISOString(),
    widths: model.widths,
    images: images.count,
    evaluationImages,
    batch,
    steps,
    evaluateEvery,
    seeds: Array.from({ length: seeds }, (_, index) => index + 1),
    schedule: 'linear warm-up over the first twentieth of the steps, then linear to zero',
    optimizers: optimizers.map((name) => ({
      name,
      title: contenders[name].title,
      options: contenders[name].description,
      learningRate: tunedLearningRate(name),
    })),
    tuning: {
      command,
      date,
      batch: tunedBatch,
      steps: tunedSteps,
      seed: tunedSeed,
      grid: trials[optimizers[0]!].map(({ learningRate }) => learningRate),
    },
    machine: describeMachine(describeDevice(device)),
  }
}
