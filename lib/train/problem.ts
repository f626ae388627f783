import type { LossAndGradients, Parameter } from './parameter.js'

/** What a run trains: weights to start from, examples to cut into batches, a loss to measure. */
export interface Problem {
  /** Number of training examples; a batch is a list of their indices. */
  readonly examples: number
  /** The weights to start from; the seed alone decides them. */
  initial(seed: number): Parameter[]
  /** Collects the examples; the function it returns is what a training step spends its time on. */
  batch(indices: Uint32Array): (parameters: readonly Parameter[]) => LossAndGradients
  /** The training loss on a fixed subset of the examples. */
  evaluate(parameters: readonly Parameter[]): number
}

/** `count` of the indices below `examples`, evenly spread: the subset that `evaluate` measures. */
export function evenlySpread(examples: number, count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => Math.floor((i * examples) / count))
}
