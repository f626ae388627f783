// Vectors over a whole group, for the models of rules that couple its parameters.
import type { GroupModel, ModelContext } from '../model.js'

/** A model on the concatenation of all parameters. */
export type FlatModel = (
  n: number,
  shapes: readonly (readonly number[])[],
) => (gradient: number[], values: number[], context: ModelContext) => number[]

export const dot = (x: readonly number[], y: readonly number[]): number =>
  x.reduce((sum, value, i) => sum + value * y[i]!, 0)

/** a x + b y */
export const sum = (a: number, x: readonly number[], b: number, y: readonly number[]): number[] =>
  x.map((value, i) => a * value + b * y[i]!)

export const flatten = (lists: readonly ArrayLike<number>[]): number[] => lists.flatMap((list) => Array.from(list))

/** Parts of a flat list, as long as the entries of `like`. */
export function split(flat: readonly number[], like: readonly { readonly length: number }[]): number[][] {
  let start = 0
  return like.map(({ length }) => {
    start += length
    return flat.slice(start - length, start)
  })
}

export function flatModel(model: FlatModel): GroupModel {
  return (shapes) => {
    const sizes = shapes.map((shape) => shape.reduce((product, dimension) => product * dimension, 1))
    const run = model(
      sizes.reduce((total, size) => total + size, 0),
      shapes,
    )
    return (gradients, values, context) => split(run(flatten(gradients), flatten(values), context), gradients)
  }
}
