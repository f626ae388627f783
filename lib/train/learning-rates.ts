import type { ContenderName } from './contenders.js'
import { tuned } from './tuned-learning-rates.js'

/** What a sweep found; `tuned-learning-rates.ts` holds one of these. */
export interface Tuning {
  /** The command that found them. */
  readonly command: string
  readonly date: string
  readonly batch: number
  readonly steps: number
  /** Of the initial weights and batches; a comparison counts its seeds from 1 and never uses this one. */
  readonly seed: number
  /** Final training loss by learning rate, null where the run diverged. */
  readonly trials: Readonly<Record<ContenderName, readonly Trial[]>>
}

export interface Trial {
  readonly learningRate: number
  readonly finalLoss: number | null
}

/**
 * Learning rates of the sweep: six for every optimizer, a factor of 2 apart. One grid serves all three, because
 * Shampoo's grafted and Muon's scaled updates are as large as AdamW's.
 */
export const grid: readonly number[] = Array.from({ length: 6 }, (_, k) => 0.001 * 2 ** k)

/** The learning rate with the lowest final loss. Throws where every one diverged. */
export function bestOf(trials: readonly Trial[]): number {
  let best: Trial | undefined
  for (const trial of trials) {
    if (trial.finalLoss !== null && trial.finalLoss < (best?.finalLoss ?? Number.POSITIVE_INFINITY)) best = trial
  }
  if (best === undefined) throw new Error('every learning rate of the grid diverged')
  return best.learningRate
}

/** The committed tuning. */
export const committedTuning: Tuning = tuned

export function tunedLearningRate(name: ContenderName): number {
  return bestOf(committedTuning.trials[name])
}

/** The source of `tuned-learning-rates.ts` for a tuning. */
export function tuningSource(tuning: Tuning): string {
  const trials = Object.entries(tuning.trials).map(([name, list]) => {
    const rows = list.map(({ learningRate, finalLoss }) => {
      return `      { learningRate: ${learningRate}, finalLoss: ${finalLoss === null ? null : Number(finalLoss.toFixed(3))} },\n`
    })
    return `    ${name}: [\n${rows.join('')}    ],\n`
  })
  return `import type { Tuning } from './learning-rates.js'

/** Data, written by the command below: replace this file by the one that it leaves in its run folder. */
export const tuned: Tuning = {
  command: '${tuning.command}',
  date: '${tuning.date}',
  batch: ${tuning.batch},
  steps: ${tuning.steps},
  seed: ${tuning.seed},
  trials: {
${trials.join('')}  },
}
`
}
