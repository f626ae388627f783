import { checkFields } from '../../errors.js'
import { reduce } from '../../linalg/reduce.js'
import { onHost, type ParameterArray } from '../../precondition/arrays.js'
import { numberIn, optionError } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import { type Arrays, answered, type GradientAt, type LossAt, valuesOf } from '../oracle.js'
import { type ParameterwiseContext, type ParameterwiseState, type Present, parameterwise } from '../parameterwise.js'
import type { Rule } from '../rule.js'

/** Options of {@link smb}. */
export interface SmbOptions {
  /** Loss of the current batch at other values. */
  readonly loss: LossAt
  /** Its gradient there. */
  readonly gradient: GradientAt
  /** Decrease that is asked for, relative to lr |g|^2, 0 < c < 1. Default 0.1. */
  readonly c?: number
  /** How long a model's step may be, 0 < eta < 1. Default 0.99. */
  readonly eta?: number
}

type Kept = 'trial' | 'change' | 'direction'

/**
 * SMB, stochastic model building: a step of SGD is tried, s = -lr g, and stands where it decreases the loss of the batch,
 *
 *     f(w + s) <= f(w) - c lr |g|^2        (norms of the whole group, whose parameters are coupled)
 *
 * else the gradient g' at w + s, y = g' - g, gives every parameter a quadratic model and the step that minimises it:
 *
 *     delta = (|s| (|y| + |g| / eta) - s.y) / 2     theta = (s.y + 2 delta)^2 - |s|^2 |y|^2     a = -|s|^2 / (2 delta)
 *     s <- a g + (a / theta) ((|s|^2 y.g - (s.y + 2 delta) s.g) y + (|y|^2 s.g - (s.y + 2 delta) y.g) s)
 *
 * A step takes two losses, and a gradient where the trial fails. State: none. Needs the values of the parameters. The callbacks
 * work in JavaScript's memory.
 *
 * The loss that the callbacks know should hold the weight decay of mode `l2`, where the group has it.
 *
 * Source: Birbil et al., arXiv 2111.07058, algorithm 1; the model: Oztoprak and Birbil, An alternative globalization strategy
 * for unconstrained optimization.
 */
export function smb(options: SmbOptions): Rule<ParameterwiseState> {
  checkFields('smb', options, ['loss', 'gradient', 'c', 'eta'])
  const { loss, gradient: gradientAt } = options
  if (typeof loss !== 'function') throw optionError('smb', 'loss', loss, 'a function of the values')
  if (typeof gradientAt !== 'function') throw optionError('smb', 'gradient', gradientAt, 'a function of the values')
  const c = numberIn('smb', 'c', options.c ?? 0.1, { above: 0, below: 1 })
  const eta = numberIn('smb', 'eta', options.eta ?? 0.99, { above: 0, below: 1 })
  return parameterwise<Kept>({
    name: 'smb',
    arrays: {},
    scratch: { trial: 'whole', change: 'whole', direction: 'whole' },
    flopsPerElement: 13,
    needsValues: true,
    step: (present, context) => {
      const { device, lr, parameters } = context
      const values = valuesOf('smb', parameters)
      const squares = reduce(
        device,
        'dot',
        present.map(({ gradient }) => ({ x: gradient })),
      )
      const norm = squares.reduce((sum, square) => sum + square, 0)
      const tried = trial(present, context, values)
      const isEnough = norm === 0 || lr === 0 || loss(tried) <= loss(values) - c * lr * norm
      if (isEnough) return present.map(({ gradient }) => gradient)
      const there = answered('smb', 'gradient', gradientAt(tried), values)
      return modelStep(present, context, there, eta)
    },
  })
}

/** Values w - lr g. */
function trial(present: readonly Present<Kept>[], { device, lr }: ParameterwiseContext<Kept>, values: Arrays): Arrays {
  updateAll(
    device,
    'combine',
    present.map(({ gradient, value, arrays: { trial: direction } }) => ({
      gradient,
      m: value,
      fromGradient: -lr,
      fromM: 1,
      direction,
    })),
  )
  const moved = [...values]
  for (const { index, arrays } of present) moved[index] = onHost(arrays.trial)
  return moved
}

/** Directions of the steps that minimise the models, from the gradients at the trial. */
function modelStep(
  present: readonly Present<Kept>[],
  { device, lr }: ParameterwiseContext<Kept>,
  there: Arrays,
  eta: number,
): readonly ParameterArray[] {
  const changes = present.map(({ index, gradient, arrays: { change } }) => {
    return { gradient: there[index]!, m: gradient, fromGradient: 1, fromM: -1, direction: change }
  })
  updateAll(device, 'combine', changes)
  const products = reduce(
    device,
    'dot',
    present.flatMap(({ gradient, arrays: { change } }) => [{ x: gradient }, { x: change }, { x: change, y: gradient }]),
  )
  const steps = present.map(({ gradient, arrays: { change, direction } }, index) => {
    const [gg, yy, yg] = products.subarray(3 * index, 3 * index + 3)
    const weights = modelWeights(lr, gg!, yy!, yg!, eta)
    return { gradient, m: change, fromGradient: -weights.gradient / lr, fromM: -weights.change / lr, direction }
  })
  updateAll(device, 'combine', steps)
  return present.map(({ arrays }) => arrays.direction)
}

/** The step as a sum of g and y, for s = -lr g. */
function modelWeights(lr: number, gg: number, yy: number, yg: number, eta: number) {
  if (gg === 0) return { gradient: 0, change: 0 }
  const [ss, sy, sg] = [lr * lr * gg, -lr * yg, -lr * gg]
  const delta = 0.5 * (Math.sqrt(ss) * (Math.sqrt(yy) + Math.sqrt(gg) / eta) - sy)
  const curved = sy + 2 * delta
  const a = -ss / (2 * delta)
  const scale = a / (curved * curved - ss * yy)
  const ofStep = scale * (yy * sg - curved * yg)
  return { gradient: a - lr * ofStep, change: scale * (ss * yg - curved * sg) }
}
