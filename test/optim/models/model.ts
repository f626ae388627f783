// fp64 models of the rules, written from the formulas and independent of lib/: no stacking, no state but plain numbers.

/** What a model is told besides the gradient. */
export interface ModelContext {
  /** Counted from 1. */
  readonly step: number
  readonly lr: number
}

/** Maps the gradient (and the value) of one parameter to its direction, step by step. */
export type Model = (
  shape: readonly number[],
) => (gradient: ArrayLike<number>, value: ArrayLike<number>, context: ModelContext) => number[]

/** The same of all parameters of a group together, for rules that couple them. */
export type GroupModel = (
  shapes: readonly (readonly number[])[],
) => (
  gradients: readonly ArrayLike<number>[],
  values: readonly ArrayLike<number>[],
  context: ModelContext,
) => readonly (readonly number[])[]

/** A group whose parameters know nothing of each other. */
export function perParameter(model: Model): GroupModel {
  return (shapes) => {
    const models = shapes.map((shape) => model(shape))
    return (gradients, values, context) => models.map((one, index) => one(gradients[index]!, values[index]!, context))
  }
}

export const zeros = (like: ArrayLike<number>): number[] => new Array<number>(like.length).fill(0)
