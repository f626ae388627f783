import { adamw, shampoo } from '../../../lib/optim/index.js'
import { eigen, type Matrix } from '../dense64.js'
import { diagonalModel } from '../models/first-order.js'
import { perParameter } from '../models/model.js'
import { shampooModel } from '../models/shampoo.js'
import { ANY_SHAPES, type RuleCase } from './rule-case.js'

const trace = (value: number) => (factor: Matrix) => {
  let sum = 0
  for (let i = 0; i < factor.rows; i++) sum += factor.data[i * factor.rows + i]!
  return (value * sum) / factor.rows
}

const relative = (value: number) => (factor: Matrix) => value * Math.max(...eigen(factor).values)

const adam = { beta1: 0.9, beta2: 0.999, isSecondCorrected: true, epsilon: 1e-8 }

export const SHAMPOO: readonly RuleCase[] = [
  {
    name: 'shampoo',
    make: () => shampoo({ merge: 'none', ridge: { relative: 1e-4 }, root: { method: 'eigh' } }),
    model: () => perParameter(shampooModel({ beta1: 0.9, beta2: 1, ridge: relative(1e-4) })),
    shapes: ANY_SHAPES,
    // Rank-deficient factors: rounding reaches the null space, where the root is up to (1e-4)^{-1/2} = 100 larger.
    tolerance: 1e-4,
    lr: 0.3,
  },
  {
    name: 'shampoo, averaged factors, half powers, planner',
    make: () =>
      shampoo({ merge: 'none', beta2: 0.95, ridge: { absolute: 1e-4 }, exponentOverride: { 1: 0.5, 2: 0.5, 3: 0.5 } }),
    model: () => perParameter(shampooModel({ beta1: 0.9, beta2: 0.95, exponent: 0.5, ridge: () => 1e-4 })),
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
    model: () =>
      perParameter(
        shampooModel({
          beta1: 0.9,
          beta2: 0.9,
          ridge: trace(1e-3),
          blockSize: 3,
          every: 4,
          start: 3,
          graft: diagonalModel({ ...adam, beta1: 0.8 }),
          momentum: 0.5,
        }),
      ),
    shapes: ANY_SHAPES,
    tolerance: 5e-6,
    lr: 0.02,
    hasSchedule: true,
  },
]
