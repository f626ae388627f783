/** Milliseconds of one training step by what they were spent on. */
export interface TimeSplit {
  /** jax-js: forward and backward pass, with the copies in and out. */
  readonly gradient: number
  /** Averages of gradients and of their Kronecker factors. */
  readonly statistics: number
  /** Inverse roots. */
  readonly refresh: number
  /** Preconditioning or orthogonalization, and the change of the weights. */
  readonly apply: number
}

export const phases = ['gradient', 'statistics', 'refresh', 'apply'] as const satisfies readonly (keyof TimeSplit)[]

export function totalOf(split: TimeSplit): number {
  return phases.reduce((sum, phase) => sum + split[phase], 0)
}

/** The mean of each phase, over equally weighted splits. */
export function meanSplit(splits: readonly TimeSplit[]): TimeSplit {
  const mean = (phase: keyof TimeSplit) => splits.reduce((sum, split) => sum + split[phase], 0) / splits.length
  return {
    gradient: mean('gradient'),
    statistics: mean('statistics'),
    refresh: mean('refresh'),
    apply: mean('apply'),
  }
}
