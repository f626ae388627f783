import type { Device } from '../../lib/device.js'
import { type Gradients, Optimizer, type Parameter, PhaseClock, type Rule } from '../../lib/optim/index.js'
import { onHost } from '../../lib/precondition/arrays.js'
import { normal, normalArray } from './random.js'

export type Shapes = readonly (readonly number[])[]

const size = (shape: readonly number[]) => shape.reduce((product, dimension) => product * dimension, 1)

/** Directions of a rule, step by step and parameter by parameter; [] for null. */
export function runRule(device: Device, rule: Rule, shapes: Shapes, gradients: readonly Gradients[]): number[][][] {
  const state = rule.init(
    shapes.map((shape, index) => ({ name: `p${index}`, shape })),
    device,
  )
  const clock = new PhaseClock()
  try {
    return gradients.map((list, index) =>
      rule
        .update(list, state, { step: index + 1, lr: 1, clock })
        .map((direction) => Array.from(direction ? onHost(direction) : [])),
    )
  } finally {
    rule.dispose(state)
  }
}

/** An optimizer with one group of parameters p0, p1, ... at random values, lr 0.01. */
export function optimizerOf(device: Device, shapes: Shapes, rule: Rule): Optimizer {
  const next = normal(1)
  const params: Parameter[] = shapes.map((shape, index) => ({
    name: `p${index}`,
    shape,
    value: normalArray(size(shape), next),
  }))
  return new Optimizer(device, [{ params, rule, lr: 0.01 }])
}

/** max |a - b| */
export function worstDifference(a: readonly number[], b: readonly number[]): number {
  return a.reduce((worst, value, index) => Math.max(worst, Math.abs(value - b[index]!)), 0)
}
