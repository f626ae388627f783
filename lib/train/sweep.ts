import { finalLoss } from './comparison.js'
import { type ContenderName, contenderNames, contenders } from './contenders.js'
import { grid, type Trial, type Tuning, tuningSource } from './learning-rates.js'
import { describeMachine } from './machine.js'
import { Pace } from './pace.js'
import { describeDevice, prepare } from './preparation.js'
import type { Progress } from './progress.js'
import { RunFolder, runName } from './run-folder.js'
import { train } from './training-run.js'

export interface SweepOptions {
  readonly batch: number
  readonly steps: number
  readonly out: string
  readonly command: string
}

/** The seed of the sweep. A comparison counts its seeds from 1, so nothing is tuned on the seeds it is judged on. */
const sweepSeed = 0

/**
 * Tries every learning rate of the grid with every optimizer. Leaves in its folder metrics.jsonl, sweep.json, and
 * `tuned-learning-rates.ts`, ready to replace the committed one.
 */
export async function sweep(options: SweepOptions, progress: Progress): Promise<{ tuning: Tuning; folder: string }> {
  // Only final losses are compared.
  const bench = await prepare({ ...options, evaluateEvery: options.steps })
  const started = new Date()
  const folder = new RunFolder(options.out, runName('sweep', started))
  const pace = new Pace(contenderNames.length * grid.length * options.steps)
  const trials: Record<ContenderName, Trial[]> = { adamw: [], muon: [], shampoo: [] }
  for (const name of contenderNames) {
    for (const learningRate of grid) {
      const label = `${contenders[name].title}, rate ${learningRate}`
      const run = await train(bench, contenders[name], learningRate, sweepSeed, (record) => {
        folder.metric(record)
        pace.advance()
        progress.show({
          label,
          step: record.step,
          steps: options.steps,
          loss: record.batchLoss,
          samplesPerSecond: (record.step * options.batch) / record.seconds,
          secondsLeft: pace.secondsLeft(),
        })
      })
      if (run.divergedAt !== null) pace.advance(options.steps - run.divergedAt)
      trials[name].push({ learningRate, finalLoss: finalLoss(run) })
    }
  }
  progress.clear()
  const { batch, steps, command } = options
  const tuning: Tuning = { command, date: started.toISOString().slice(0, 10), batch, steps, seed: sweepSeed, trials }
  folder.write('tuned-learning-rates.ts', tuningSource(tuning))
  folder.complete('sweep.json', { ...tuning, machine: describeMachine(describeDevice(bench.device)) })
  return { tuning, folder: folder.path }
}
