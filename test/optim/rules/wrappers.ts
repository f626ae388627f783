import {
  accumulate,
  adamw,
  entropySgd,
  lookahead,
  mars,
  muon,
  primalAveraging,
  sam,
  scheduleFree,
  sgd,
  vrgd,
  xgrad,
} from '../../../lib/optim/index.js'
import { polarFactor } from '../dense64.js'
import { diagonalModel, sgdModel } from '../models/first-order.js'
import { perParameter } from '../models/model.js'
import { orthogonalModel, scaled, spectralScale } from '../models/muon.js'
import {
  accumulateModel,
  entropyModel,
  interpolationModel,
  lookaheadModel,
  marsModel,
  samModel,
  vrgdModel,
  xgradModel,
} from '../models/wrappers.js'
import { asArrays, type Oracle, type Values } from '../oracle.js'
import { ANY_SHAPES, MATRICES, type RuleCase } from './rule-case.js'

const adamModel = diagonalModel({ beta1: 0.9, beta2: 0.999, isSecondCorrected: true, epsilon: 1e-8 })
const plainAdamModel = diagonalModel({ beta1: 0, beta2: 0.99, isSecondCorrected: true, epsilon: 1e-8 })
const exactMuonModel = orthogonalModel({
  momentum: 0.9,
  nesterov: true,
  orthogonalize: polarFactor,
  finish: scaled(spectralScale),
})
const exactMuon = () => muon({ method: 'polar', momentum: 0.9 })
const gradientAt = (oracle: Oracle) => (values: Values) => asArrays(oracle.gradient(values))
/** Of the order of the squares of gradientSequence's elements, and known from the shape alone. */
const variance = (shape: readonly number[], element: number) => 0.002 * (1 + ((element + shape.length) % 4))
const size = (shape: readonly number[]) => shape.reduce((product, dimension) => product * dimension, 1)
const squaredLrs = (lrs: readonly number[]) => lrs.at(-1)! ** 2 / lrs.reduce((sum, lr) => sum + lr ** 2, 0)

export const WRAPPERS: readonly RuleCase[] = [
  {
    name: 'lookahead(adamw)',
    make: () => lookahead(adamw()),
    model: () => perParameter(lookaheadModel(adamModel, { every: 5, alpha: 0.5 })),
    shapes: ANY_SHAPES,
    tolerance: 1e-4,
    lr: 0.1,
  },
  {
    name: 'lookahead(sgd with momentum), every 2, alpha 0.8',
    make: () => lookahead(sgd({ momentum: 0.9 }), { every: 2, alpha: 0.8 }),
    model: () => perParameter(lookaheadModel(sgdModel({ momentum: 0.9 }), { every: 2, alpha: 0.8 })),
    shapes: ANY_SHAPES,
    tolerance: 1e-4,
    lr: 0.1,
  },
  {
    name: 'xgrad(sgd with momentum)',
    make: () => xgrad(sgd({ momentum: 0.5 })),
    model: () => perParameter(xgradModel(sgdModel({ momentum: 0.5 }), 1)),
    shapes: ANY_SHAPES,
    tolerance: 5e-3,
    lr: 0.1,
    decayShare: 2,
  },
  {
    name: 'xgrad(adamw), two ahead',
    make: () => xgrad(adamw(), { ahead: 2 }),
    model: () => perParameter(xgradModel(adamModel, 2)),
    shapes: ANY_SHAPES,
    tolerance: 1e-3,
    lr: 0.05,
    decayShare: 3,
  },
  {
    name: 'scheduleFree(sgd)',
    make: () => scheduleFree(sgd()),
    model: () => perParameter(interpolationModel(sgdModel(), 0.9, (_, lrs) => squaredLrs(lrs))),
    shapes: ANY_SHAPES,
    tolerance: 1e-3,
    lr: 0.5,
  },
  {
    name: 'scheduleFree(adamw without first moment)',
    make: () => scheduleFree(adamw({ beta1: 0, beta2: 0.99 }), { training: 0.8, power: 0 }),
    model: () => perParameter(interpolationModel(plainAdamModel, 0.8, (_, lrs) => 1 / lrs.length)),
    shapes: ANY_SHAPES,
    tolerance: 1e-4,
    lr: 0.2,
  },
  {
    name: 'primalAveraging(sgd)',
    make: () => primalAveraging(sgd()),
    model: () => perParameter(interpolationModel(sgdModel(), 0.8, () => 1 - 0.9)),
    shapes: ANY_SHAPES,
    tolerance: 1e-4,
    lr: 0.3,
    decayShare: 1 - 0.8 * 0.9,
  },
  {
    name: 'sam(sgd)',
    make: (oracle) => sam(sgd(), { gradientAt: gradientAt(oracle) }),
    model: (oracle) => samModel(perParameter(sgdModel()), oracle, { rho: 0.05, scope: 'group' }),
    shapes: ANY_SHAPES,
    tolerance: 1e-4,
    lr: 0.2,
    isCoupled: true,
    asksForGradients: true,
  },
  {
    name: 'sam(adamw), parameter by parameter',
    make: (oracle) => sam(adamw(), { gradientAt: gradientAt(oracle), rho: 0.02, scope: 'parameter' }),
    model: (oracle) => samModel(perParameter(adamModel), oracle, { rho: 0.02, scope: 'parameter' }),
    shapes: ANY_SHAPES,
    tolerance: 1e-4,
    lr: 0.05,
    asksForGradients: true,
  },
  {
    name: 'mars(adamw), approximate',
    make: () => mars(adamw(), { gamma: 0.05 }),
    model: () => marsModel(perParameter(adamModel), { gamma: 0.05, beta1: 0.95, clip: 1 }),
    shapes: ANY_SHAPES,
    tolerance: 1e-5,
    lr: 0.05,
  },
  {
    name: 'mars(sgd), exact',
    make: (oracle) => mars(sgd(), { gamma: 0.1, beta1: 0.8, clip: 2, gradientAt: gradientAt(oracle) }),
    model: (oracle) => marsModel(perParameter(sgdModel()), { gamma: 0.1, beta1: 0.8, clip: 2, oracle }),
    shapes: ANY_SHAPES,
    tolerance: 1e-5,
    lr: 0.2,
    asksForGradients: true,
  },
  {
    name: 'entropySgd(sgd)',
    make: (oracle) => entropySgd(sgd(), { gradientAt: gradientAt(oracle), steps: 5, gamma: 0.5, noise: 0 }),
    model: (oracle) =>
      entropyModel(perParameter(sgdModel()), oracle, { steps: 5, innerLr: 0.1, gamma: 0.5, alpha: 0.75 }),
    shapes: ANY_SHAPES,
    tolerance: 2e-3,
    lr: 2,
    asksForGradients: true,
  },
  {
    name: 'vrgd(adamw)',
    make: () =>
      vrgd(adamw(), {
        variance: (specs) =>
          specs.map(({ shape }) => Float32Array.from({ length: size(shape) }, (_, i) => variance(shape, i))),
      }),
    model: () => perParameter(vrgdModel(adamModel, 0.1, variance)),
    shapes: ANY_SHAPES,
    tolerance: 1e-5,
    lr: 0.05,
  },
  {
    name: 'accumulate(adamw), every 2',
    make: () => accumulate(adamw(), { every: 2 }),
    model: () => perParameter(accumulateModel(adamModel, 2)),
    shapes: ANY_SHAPES,
    tolerance: 1e-5,
    lr: 0.1,
    hasSchedule: true,
    firstMove: 2,
  },
  {
    name: 'lookahead(mars(muon))',
    make: () => lookahead(mars(exactMuon()), { every: 3 }),
    model: () => {
      const corrected = marsModel(perParameter(exactMuonModel), { gamma: 0.025, beta1: 0.95, clip: 1 })
      return (shapes) => {
        const direct = corrected(shapes)
        // Every parameter has the direction that MARS found for all of them.
        let found: readonly (readonly number[])[] = []
        const slow = shapes.map((shape, p) =>
          lookaheadModel(() => () => [...found[p]!], { every: 3, alpha: 0.5 })(shape),
        )
        return (gradients, values, context) => {
          found = direct(gradients, values, context)
          return slow.map((one, p) => one(gradients[p]!, values[p]!, context))
        }
      }
    },
    shapes: MATRICES,
    tolerance: 1e-4,
    lr: 0.2,
  },
]
