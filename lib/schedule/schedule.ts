/**
 * A hyper-parameter that may change over time: a number, or a function of the step. Steps count from 1: the first
 * call of `Optimizer.step` is step 1.
 */
export type Schedule = number | ((step: number) => number)

/** Value of a schedule at a step (counted from 1). */
export function valueAt(schedule: Schedule, step: number): number {
  return typeof schedule === 'number' ? schedule : schedule(step)
}
