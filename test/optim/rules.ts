// The list of rules that every conformance test runs over. A new rule adds its cases here.
import { adagrad, adamw, muon, type Rule, rmsprop, sgd, shampoo } from '../../lib/optim/index.js'
import { eigen, type Matrix } from './dense64.js'
import { diagonalModel, type Model, muonModel, sgdModel, shampooModel } from './models.js'

export interface RuleCase {
  readonly name: string
  readonly make: () => Rule
  /** The fp64 model of the same options. */
  readonly model: Model
  readonly shapes: readonly (readonly number[])[]
  /** Largest |D - model| / |model| (Frobenius, a parameter) over 50 steps. */
  readonly tolerance: number
  /** Learning rate with which the rule solves the conformance problems. */
  readonly lr: number
  /** Whether the count of the optimizer matters, not only that of the parameter: refresh schedules. */
  readonly hasSchedule?: boolean
}

/** Different orders; equal shapes, so that stacking is at work; a scalar. */
const ANY_SHAPES = [[6, 4], [5], [6, 4], [4, 6], [3, 2, 4], [], [6, 4]]
const MATRICES = [
  [6, 4],
  [4, 6],
  [6, 4],
  [5, 5],
  [3, 2, 2],
]

const trace = (value: number) => (factor: Matrix) => {
  let sum = 0
  for (let i = 0; i < factor.rows; i++) sum += factor.data[i * factor.rows + i]!
  return (value * sum) / factor.rows
}

const relative = (value: number) => (factor: Matrix) => value * Math.max(...eigen(factor).values)

const adam = { beta1: 0.9, beta2: 0.999, isSecondCorrected: true, epsilon: 1e-8 }
const firstDimension = (shape: readonly number[]) => {
  const rows = shape[0]!
  return [rows, shape.slice(1).reduce((product, dimension) => product * dimension, 1)] as const
}
const lastDimension = (shape: readonly number[]) => {
  const columns = shape[shape.length - 1]!
  return [shape.slice(0, -1).reduce((product, dimension) => product * dimension, 1), columns] as const
}

export const RULES: readonly RuleCase[] = [
  { name: 'sgd', make: () => sgd(), model: sgdModel(), shapes: ANY_SHAPES, tolerance: 1e-7, lr: 0.2 },
  {
    name: 'sgd, heavy ball with dampening',
    make: () => sgd({ momentum: 0.9, dampening: 0.3 }),
    model: sgdModel({ momentum: 0.9, dampening: 0.3 }),
    shapes: ANY_SHAPES,
    tolerance: 1e-6,
    lr: 0.05,
  },
  {
    name: 'sgd, Nesterov',
    make: () => sgd({ momentum: 0.9, nesterov: true }),
    model: sgdModel({ momentum: 0.9, nesterov: true }),
    shapes: ANY_SHAPES,
    tolerance: 1e-6,
    lr: 0.05,
  },
  { name: 'adamw', make: () => adamw(), model: diagonalModel(adam), shapes: ANY_SHAPES, tolerance: 1e-6, lr: 0.05 },
  {
    name: 'adamw without first moment',
    make: () => adamw({ beta1: 0, beta2: 0.95, epsilon: 1e-6 }),
    model: diagonalModel({ ...adam, beta1: 0, beta2: 0.95, epsilon: 1e-6 }),
    shapes: ANY_SHAPES,
    tolerance: 1e-6,
    lr: 0.05,
  },
  {
    name: 'rmsprop',
    make: () => rmsprop(),
    model: diagonalModel({ beta1: 0, beta2: 0.99, isSecondCorrected: false, epsilon: 1e-8 }),
    shapes: ANY_SHAPES,
    tolerance: 1e-6,
    lr: 0.02,
  },
  {
    name: 'adagrad',
    make: () => adagrad(),
    model: diagonalModel({ beta1: 0, beta2: 'sum', isSecondCorrected: false, epsilon: 1e-10 }),
    shapes: ANY_SHAPES,
    tolerance: 1e-6,
    lr: 0.5,
  },
  {
    name: 'muon',
    make: () => muon(),
    model: muonModel({
      momentum: 0.95,
      nesterov: true,
      isExact: false,
      flatten: firstDimension,
      scale: (rows, columns) => Math.sqrt(Math.max(1, rows / columns)),
    }),
    shapes: MATRICES,
    tolerance: 3e-5,
    lr: 0.05,
  },
  {
    name: 'muon, exact polar factor, no Nesterov, outputs last',
    make: () => muon({ method: 'polar', nesterov: false, momentum: 0.9, scale: 'match-rms-adamw', outputs: 'last' }),
    model: muonModel({
      momentum: 0.9,
      nesterov: false,
      isExact: true,
      flatten: lastDimension,
      scale: (rows, columns) => 0.2 * Math.sqrt(Math.max(rows, columns)),
    }),
    shapes: [
      [6, 4],
      [4, 6],
      [6, 4],
      [3, 2, 2],
    ],
    tolerance: 5e-6,
    lr: 0.2,
  },
  {
    name: 'shampoo',
    make: () => shampoo({ merge: 'none', ridge: { relative: 1e-4 }, root: { method: 'eigh' } }),
    model: shampooModel({ beta1: 0.9, beta2: 1, ridge: relative(1e-4) }),
    shapes: ANY_SHAPES,
    // Rank-deficient factors: rounding reaches the null space, where the root is up to (1e-4)^{-1/2} = 100 larger.
    tolerance: 1e-4,
    lr: 0.3,
  },
  {
    name: 'shampoo, averaged factors, half powers, planner',
    make: () =>
      shampoo({ merge: 'none', beta2: 0.95, ridge: { absolute: 1e-4 }, exponentOverride: { 1: 0.5, 2: 0.5, 3: 0.5 } }),
    model: shampooModel({ beta1: 0.9, beta2: 0.95, exponent: 0.5, ridge: () => 1e-4 }),
    shapes: ANY_SHAPES,
    tolerance: 5e-5,
    lr: 0.05,
  },
  {
    name: 'shampoo, blocks, refresh every 4 from step 3, Adam graft, momentum',
    make: () =>
      shampoo({
        merge: 'none',
        beta2: 0.9,
        blockSize: 3,
        ridge: { trace: 1e-3 },
        refresh: { every: 4, start: 3 },
        graft: adamw({ beta1: 0.8 }),
        momentum: 0.5,
      }),
    model: shampooModel({
      beta1: 0.9,
      beta2: 0.9,
      ridge: trace(1e-3),
      blockSize: 3,
      every: 4,
      start: 3,
      graft: diagonalModel({ ...adam, beta1: 0.8 }),
      momentum: 0.5,
    }),
    shapes: ANY_SHAPES,
    tolerance: 5e-6,
    lr: 0.02,
    hasSchedule: true,
  },
]
