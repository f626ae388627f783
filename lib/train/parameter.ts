import type { Random } from './random.js'

/** A weight or a bias, row-major. */
export interface Parameter {
  readonly name: string
  readonly value: Float32Array
  readonly shape: readonly number[]
}

/** A loss and its gradient, one array a parameter, in their order. */
export interface LossAndGradients {
  readonly loss: number
  readonly gradients: Float32Array[]
}

/** Glorot-uniform weights, U(+-sqrt(6 / (inputs + outputs))); `inputs` and `outputs` count what one output sees and feeds. */
export function glorot(
  random: Random,
  name: string,
  shape: readonly number[],
  inputs: number,
  outputs: number,
): Parameter {
  const bound = Math.sqrt(6 / (inputs + outputs))
  const length = shape.reduce((product, dimension) => product * dimension, 1)
  return { name, value: Float32Array.from({ length }, () => (2 * random.uniform() - 1) * bound), shape }
}

export function zeroBias(name: string, length: number): Parameter {
  return { name, value: new Float32Array(length), shape: [length] }
}
