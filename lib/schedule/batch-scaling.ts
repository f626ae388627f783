// What becomes of hyper-parameters when the batch grows from B to kappa B. Sizes are in examples or in tokens.
import { checkFields, KronrootError } from '../errors.js'
import { product } from './compose.js'
import type { Schedule } from './schedule.js'
import { numberIn } from './validate.js'

/** Two batch sizes: that for which the numbers were found, and that for which they are wanted. */
export interface BatchChange {
  readonly from: number
  readonly to: number
}

function ratio(owner: string, change: BatchChange): number {
  checkFields(`${owner}: batch`, change, ['from', 'to'])
  return numberIn(owner, 'to', change.to, { above: 0 }) / numberIn(owner, 'from', change.from, { above: 0 })
}

const scaled = (schedule: Schedule, factor: number) =>
  typeof schedule === 'number' ? schedule * factor : product(factor, schedule)

/**
 * Linear scaling, for SGD: lr <- kappa lr, kappa = to / from. Holds up to the gradient noise scale; warm up for a few epochs.
 *
 * Source: Goyal et al., arXiv 1706.02677, section 2.1.
 */
export function linearScaling(lr: Schedule, change: BatchChange): Schedule {
  return scaled(lr, ratio('linearScaling', change))
}

/** Numbers of an adaptive rule. */
export interface AdaptiveNumbers {
  readonly lr: Schedule
  /** 0 <= beta < 1. */
  readonly beta1?: number
  readonly beta2?: number
  /** >= 0. */
  readonly epsilon?: number
}

/**
 * Square-root scaling, for Adam, RMSProp and rules built on them: the stochastic differential equation of the run stays,
 *
 *     lr <- sqrt(kappa) lr,   beta <- 1 - kappa (1 - beta),   epsilon <- epsilon / sqrt(kappa),   kappa = to / from
 *
 * What is left out of the numbers is left out of the answer. Throws ERR_OPTION where a beta would become negative.
 *
 * Source: Malladi et al., On the SDEs and Scaling Rules for Adaptive Gradient Algorithms, arXiv 2205.10287.
 */
export function squareRootScaling<Numbers extends AdaptiveNumbers>(numbers: Numbers, change: BatchChange): Numbers {
  const owner = 'squareRootScaling'
  checkFields(owner, numbers, ['lr', 'beta1', 'beta2', 'epsilon'])
  const kappa = ratio(owner, change)
  const beta = (field: 'beta1' | 'beta2') => {
    const value = numberIn(owner, field, numbers[field], { min: 0, below: 1 })
    const after = 1 - kappa * (1 - value)
    if (after >= 0) return { [field]: after }
    const message = `${owner}: ${field} ${value} cannot go with a batch ${kappa} times as large: it would become ${after}`
    throw new KronrootError('ERR_OPTION', message)
  }
  return {
    ...numbers,
    lr: scaled(numbers.lr, Math.sqrt(kappa)),
    ...(numbers.beta1 === undefined ? {} : beta('beta1')),
    ...(numbers.beta2 === undefined ? {} : beta('beta2')),
    ...(numbers.epsilon === undefined
      ? {}
      : { epsilon: numberIn(owner, 'epsilon', numbers.epsilon, { min: 0 }) / Math.sqrt(kappa) }),
  }
}

/**
 * Examples (tokens) after which a gradient weighs half in an average of decay beta: B log(1/2) / log(beta).
 *
 * Source: Marek et al., Small Batch Size Training for Language Models, arXiv 2507.07101.
 */
export function halfLife(beta: number, batch: number): number {
  const decay = numberIn('halfLife', 'beta', beta, { above: 0, below: 1 })
  return (numberIn('halfLife', 'batch', batch, { above: 0 }) * Math.log(0.5)) / Math.log(decay)
}

/** The decay of a half-life: 0.5^(B / half-life). Inverse of {@link halfLife}. */
export function decayForHalfLife(samples: number, batch: number): number {
  const life = numberIn('decayForHalfLife', 'samples', samples, { above: 0 })
  return 0.5 ** (numberIn('decayForHalfLife', 'batch', batch, { above: 0 }) / life)
}

/** The decay that keeps its half-life in samples when the batch changes: beta^(to / from). For beta2, and for factors. */
export function decayForBatch(beta: number, change: BatchChange): number {
  return numberIn('decayForBatch', 'beta', beta, { min: 0, max: 1 }) ** ratio('decayForBatch', change)
}
