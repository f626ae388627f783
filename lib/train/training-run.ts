import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Device } from '../device.js'
import type { Optimizer, Schedule } from '../optim/index.js'
import { BatchOrder } from './batches.js'
import { scheduleOf } from './contenders.js'
import type { LossAndGradients, Parameter } from './parameter.js'
import type { Problem } from './problem.js'
import { meanSplit, type TimeSplit, totalOf } from './time-split.js'

/** The training loss on the evaluation subset after `step` steps, which took `seconds` of training. */
export interface Evaluation {
  readonly step: number
  readonly seconds: number
  readonly loss: number
}

/** One optimizer, one learning rate, one seed. */
export interface TrainingRun {
  readonly learningRate: number
  readonly seed: number
  readonly evaluations: readonly Evaluation[]
  /** Mean over the steps. */
  readonly millisecondsPerStep: TimeSplit
  /** Matrices whose root or orthogonalization failed, over all steps; each was answered by its stale root. */
  readonly failures: number
  /** The step at which the loss was no longer finite, where that happened; the run ends there. */
  readonly divergedAt: number | null
}

/** One step, as metrics.jsonl records it. `evaluation` is the loss on the evaluation subset, where it was taken. */
export interface StepRecord {
  readonly optimizer: string
  readonly seed: number
  readonly step: number
  /** On the batch of this step, before the step. */
  readonly batchLoss: number
  readonly evaluation: number | null
  readonly learningRate: number
  /** Seconds of training so far, evaluations not counted. */
  readonly seconds: number
  readonly milliseconds: TimeSplit
}

/** What all runs of a comparison share. */
export interface Workbench {
  readonly device: Device
  readonly problem: Problem
  readonly steps: number
  readonly batch: number
  /** Steps from one evaluation to the next. */
  readonly evaluateEvery: number
}

/** What makes the optimizer of a run. */
export interface Trainee {
  readonly name: string
  create(device: Device, parameters: readonly Parameter[], lr: Schedule): Optimizer
}

/**
 * Trains from the initial weights of `seed`, with the batches of `seed`: both depend on nothing else, so every optimizer
 * starts at the same point and sees the same examples. Only gradients and optimizer steps are on the clock; preparing a
 * batch and measuring the loss are not.
 *
 * @param onStep called after every step.
 */
export async function train(
  bench: Workbench,
  contender: Trainee,
  learningRate: number,
  seed: number,
  onStep: (record: StepRecord) => void = () => {},
): Promise<TrainingRun> {
  const { device, problem, steps, batch, evaluateEvery } = bench
  const parameters = problem.initial(seed)
  const schedule = scheduleOf(learningRate, steps)
  const optimizer = contender.create(device, parameters, schedule)
  const order = new BatchOrder(problem.examples, batch, seed)
  const evaluations: Evaluation[] = [{ step: 0, seconds: 0, loss: problem.evaluate(parameters) }]
  const splits: TimeSplit[] = []
  let seconds = 0
  let divergedAt: number | null = null

  try {
    for (let step = 1; step <= steps && divergedAt === null; step++) {
      const { batchLoss, milliseconds } = timedStep(parameters, optimizer, problem.batch(order.next()))
      splits.push(milliseconds)
      seconds += totalOf(milliseconds) / 1000
      const isMeasured = step % evaluateEvery === 0 || step === steps
      const evaluation = isMeasured ? problem.evaluate(evaluated(parameters, optimizer)) : null
      if (!Number.isFinite(evaluation ?? batchLoss)) divergedAt = step
      else if (evaluation !== null) evaluations.push({ step, seconds, loss: evaluation })
      onStep({
        optimizer: contender.name,
        seed,
        step,
        batchLoss,
        evaluation,
        learningRate: schedule(step),
        seconds,
        milliseconds,
      })
      // Gradients are computed synchronously: without a turn of the event loop between steps no timer or signal would run.
      await nextTurn()
    }
    const { failures } = optimizer.report()
    return { learningRate, seed, evaluations, millisecondsPerStep: meanSplit(splits), failures, divergedAt }
  } finally {
    optimizer.dispose()
  }
}

function timedStep(
  parameters: readonly Parameter[],
  optimizer: Optimizer,
  gradientOf: (parameters: readonly Parameter[]) => LossAndGradients,
): { batchLoss: number; milliseconds: TimeSplit } {
  const before = optimizer.timings()
  const start = performance.now()
  const { loss, gradients } = gradientOf(parameters)
  const gradient = performance.now() - start
  // By name, because an optimizer orders its parameters by group.
  optimizer.step(new Map(parameters.map(({ name }, index) => [name, gradients[index]!])))
  const after = optimizer.timings()
  return {
    batchLoss: loss,
    milliseconds: {
      gradient,
      statistics: after.statistics - before.statistics,
      refresh: after.refresh - before.refresh,
      apply: after.apply - before.apply,
    },
  }
}

/** The parameters with the values that the optimizer wants measured: averages, for some rules. */
function evaluated(parameters: readonly Parameter[], optimizer: Optimizer): readonly Parameter[] {
  const values = optimizer.evaluation()
  const byName = new Map(optimizer.parameters.map(({ name }, index) => [name, values[index]!]))
  return parameters.map((parameter) => ({ ...parameter, value: byName.get(parameter.name)! }))
}
