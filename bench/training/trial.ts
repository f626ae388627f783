// One run, whatever becomes of it.
import { KronrootError } from '../../lib/index.js'
import { meanSplit, type TimeSplit } from '../../lib/train/time-split.js'
import { type StepRecord, type Trainee, type TrainingRun, train, type Workbench } from '../../lib/train/training-run.js'

/** A run of the study; `error` is what ended it early, where a solver gave up. */
export interface Trial extends Omit<TrainingRun, 'millisecondsPerStep'> {
  /** Null where not one step was made. */
  readonly millisecondsPerStep: TimeSplit | null
  readonly error: string | null
}

/** Trains; a rule whose solves fail too often counts as diverged at that step. */
export async function tryTraining(
  bench: Workbench,
  trainee: Trainee,
  learningRate: number,
  seed: number,
  onStep: (record: StepRecord) => void = () => {},
): Promise<Trial> {
  const records: StepRecord[] = []
  try {
    const run = await train(bench, trainee, learningRate, seed, (record) => {
      records.push(record)
      onStep(record)
    })
    return { ...run, error: null }
  } catch (error) {
    if (!(error instanceof KronrootError && error.code === 'ERR_NOT_CONVERGED')) throw error
    return {
      learningRate,
      seed,
      evaluations: records.flatMap(({ step, seconds, evaluation }) =>
        evaluation === null ? [] : [{ step, seconds, loss: evaluation }],
      ),
      millisecondsPerStep: records.length === 0 ? null : meanSplit(records.map(({ milliseconds }) => milliseconds)),
      // What the report would have counted is lost with the optimizer; the error names the factor.
      failures: 1,
      divergedAt: records.length + 1,
      error: error.message,
    }
  }
}
