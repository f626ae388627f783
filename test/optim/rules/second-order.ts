import {
  adaHessian,
  bayesianNewton,
  egn,
  fullMatrixAdagrad,
  ggt,
  type HessianVector,
  lbfgs,
  newtonCg,
  oasis,
  polyak,
  psgdKron,
  psgdLra,
  saddleFreeNewton,
  singd,
  sophia,
} from '../../../lib/optim/index.js'
import { perParameter } from '../models/model.js'
import { bayesianModel, blockHessians } from '../models/second-order/bayesian.js'
import { adaHessianModel, oasisModel, polyakModel, sophiaModel } from '../models/second-order/diagonal.js'
import { split } from '../models/second-order/flat.js'
import { fullAdagradModel, ggtModel } from '../models/second-order/full-matrix.js'
import { gaussNewtonModel, hessianResiduals, leastSquaresResiduals } from '../models/second-order/gauss-newton.js'
import { lbfgsModel } from '../models/second-order/lbfgs.js'
import { newtonModel, saddleFreeModel } from '../models/second-order/newton.js'
import { psgdKronModel } from '../models/second-order/psgd-kron.js'
import { psgdLraModel } from '../models/second-order/psgd-lra.js'
import { singdModel } from '../models/second-order/singd.js'
import { asArrays, type Oracle } from '../oracle.js'
import { ANY_SHAPES, type RuleCase } from './rule-case.js'

const sizes = ANY_SHAPES.map((shape) => ({ length: shape.reduce((product, dimension) => product * dimension, 1) }))

/** Few elements: rules that hold matrices over all of them. */
const SMALL: RuleCase['shapes'] = [[3, 2], [4], [3, 2], [], [2, 2, 2]]

const hessianVector =
  (oracle: Oracle): HessianVector =>
  (vectors, values) =>
    asArrays(oracle.hessianVector(vectors, values))

export const SECOND_ORDER: readonly RuleCase[] = [
  {
    name: 'lbfgs',
    make: () => lbfgs(),
    model: () => lbfgsModel({ history: 10 }),
    shapes: ANY_SHAPES,
    tolerance: 1e-4,
    lr: 0.5,
    isCoupled: true,
  },
  {
    name: 'lbfgs, damped, short history, Armijo search',
    make: ({ loss, gradient }) =>
      lbfgs({
        history: 3,
        damping: 0.2,
        lineSearch: { kind: 'armijo', trials: 6 },
        lossAndGradientAt: (values) => ({ loss: loss(values), gradient: asArrays(gradient(values)) }),
      }),
    model: ({ loss }) => lbfgsModel({ history: 3, damping: 0.2, loss: (values) => loss(split(values, sizes)) }),
    shapes: ANY_SHAPES,
    tolerance: 1e-4,
    lr: 1,
    isCoupled: true,
  },
  {
    name: 'newtonCg, solved to the end',
    make: (oracle) =>
      newtonCg({ hessianVector: hessianVector(oracle), damping: 0.1, iterations: 200, tolerance: 1e-6 }),
    model: (oracle) => newtonModel({ hessianVector: oracle.hessianVector, damping: 0.1 }),
    shapes: ANY_SHAPES,
    tolerance: 1e-4,
    lr: 0.5,
    isCoupled: true,
  },
  {
    name: 'saddleFreeNewton, the whole space',
    make: (oracle) => saddleFreeNewton({ hessianVector: hessianVector(oracle), vectors: 126, damping: 0.1 }),
    model: (oracle) => saddleFreeModel({ hessianVector: oracle.hessianVector, damping: 0.1 }),
    shapes: SMALL,
    tolerance: 1e-3,
    lr: 0.5,
    isCoupled: true,
  },
  {
    name: 'egn, least squares, momentum',
    make: (oracle) => egn({ residualsAt: leastSquaresResiduals(oracle), damping: 0.5, momentum: 0.5 }),
    model: (oracle) => gaussNewtonModel({ oracle, damping: 0.5, momentum: 0.5 }),
    shapes: SMALL,
    tolerance: 1e-4,
    lr: 0.5,
    isCoupled: true,
  },
  {
    name: 'egn, Hessian of the loss, adaptive damping, search',
    make: (oracle) =>
      egn({
        residualsAt: hessianResiduals(oracle),
        damping: 1,
        adapt: {},
        momentum: 0.3,
        lineSearch: { trials: 6 },
        lossAt: oracle.loss,
      }),
    model: (oracle) => gaussNewtonModel({ oracle, damping: 1, momentum: 0.3, isSearched: true }),
    shapes: SMALL,
    tolerance: 1e-4,
    lr: 1,
    isCoupled: true,
  },
  {
    name: 'ggt',
    make: () => ggt({ window: 5, beta2: 0.9, epsilon: 0.3 }),
    model: () => ggtModel({ window: 5, beta1: 0.9, beta2: 0.9, epsilon: 0.3 }),
    shapes: SMALL,
    tolerance: 1e-4,
    lr: 0.3,
    isCoupled: true,
  },
  {
    name: 'ggt, without average',
    make: () => ggt({ window: 3, beta1: 0, epsilon: 0.1 }),
    model: () => ggtModel({ window: 3, beta1: 0, beta2: 1, epsilon: 0.1 }),
    shapes: SMALL,
    tolerance: 1e-4,
    lr: 0.1,
    isCoupled: true,
  },
  {
    name: 'fullMatrixAdagrad',
    make: () => fullMatrixAdagrad({ ridge: { absolute: 1e-2 } }),
    model: () => fullAdagradModel(1e-2),
    shapes: SMALL,
    tolerance: 1e-3,
    lr: 0.5,
    isCoupled: true,
  },
  {
    name: 'psgdKron',
    make: () => psgdKron({ damping: 0 }),
    model: () => perParameter(psgdKronModel({ beta1: 0.9, rate: 0.1, maxSkew: 1, maxRms: 2 })),
    shapes: ANY_SHAPES,
    tolerance: 1e-4,
    lr: 0.05,
  },
  {
    name: 'psgdKron, dense factors on both sides, without average',
    make: () => psgdKron({ beta1: 0, damping: 0, maxSkew: 10, preconditionerLr: 0.3, maxRms: 1 }),
    model: () => perParameter(psgdKronModel({ beta1: 0, rate: 0.3, maxSkew: 10, maxRms: 1 })),
    shapes: ANY_SHAPES,
    tolerance: 1e-3,
    lr: 0.05,
  },
  {
    name: 'singd',
    make: () => singd({ damping: 0.5, factorLr: 0.1 }),
    model: () => perParameter(singdModel({ isDense: true, rate: 0.1, decay: 0.5, damping: 0.5, momentum: 0.9 })),
    shapes: ANY_SHAPES,
    tolerance: 1e-5,
    lr: 0.05,
  },
  {
    name: 'singd, diagonal, every 3, without momentum',
    make: () =>
      singd({ structure: 'diagonal', damping: 0.1, factorLr: 0.2, factorMomentum: 0.9, every: 3, momentum: 0 }),
    model: () =>
      perParameter(singdModel({ isDense: false, rate: 0.2, decay: 0.9, damping: 0.1, momentum: 0, every: 3 })),
    shapes: ANY_SHAPES,
    tolerance: 1e-5,
    lr: 0.1,
    hasSchedule: true,
  },
  {
    name: 'psgdLra',
    make: () => psgdLra({ rank: 3, seed: 5 }),
    model: () => psgdLraModel({ rank: 3, rate: 0.1, beta1: 0.9, maxRms: 2, seed: 5 }),
    shapes: SMALL,
    tolerance: 1e-4,
    lr: 0.05,
    hasSchedule: true,
    isCoupled: true,
  },
  {
    name: 'adaHessian, averaged over kernels',
    make: (oracle) => adaHessian({ hessianVector: hessianVector(oracle), seed: 3 }),
    model: (oracle) =>
      adaHessianModel({ oracle, seed: 3, beta1: 0.9, block: (shape) => shape.slice(2).reduce((b, d) => b * d, 1) }),
    shapes: ANY_SHAPES,
    tolerance: 1e-5,
    lr: 0.1,
    hasSchedule: true,
    isCoupled: true,
  },
  {
    name: 'adaHessian, every 3, averaged over 2, without average of the gradient',
    make: (oracle) =>
      adaHessian({ hessianVector: hessianVector(oracle), beta1: 0, every: 3, average: 2, epsilon: 1e-2 }),
    model: (oracle) => adaHessianModel({ oracle, seed: 0, beta1: 0, every: 3, block: () => 2, epsilon: 1e-2 }),
    shapes: [[3, 2], [4], [2, 2, 2]],
    tolerance: 1e-5,
    lr: 0.1,
    hasSchedule: true,
    isCoupled: true,
  },
  {
    name: 'sophia, Hutchinson',
    make: (oracle) =>
      sophia({ estimate: { kind: 'hutchinson', hessianVector: hessianVector(oracle) }, every: 4, gamma: 0.5 }),
    model: (oracle) => sophiaModel({ oracle, seed: 0, every: 4, gamma: 0.5 }),
    shapes: ANY_SHAPES,
    tolerance: 1e-5,
    lr: 0.1,
    hasSchedule: true,
    isCoupled: true,
  },
  {
    name: 'sophia, Gauss-Newton-Bartlett',
    make: ({ gradient }) =>
      sophia({
        estimate: {
          kind: 'gauss-newton-bartlett',
          sampledGradientAt: (values) => asArrays(gradient(values)),
          batchSize: 8,
        },
        every: 2,
        gamma: 0.05,
      }),
    model: (oracle) => sophiaModel({ oracle, seed: 0, every: 2, gamma: 0.05, batchSize: 8 }),
    shapes: ANY_SHAPES,
    tolerance: 1e-5,
    lr: 0.05,
    hasSchedule: true,
    isCoupled: true,
  },
  {
    name: 'oasis',
    make: (oracle) => oasis({ hessianVector: hessianVector(oracle), seed: 2, least: 0.1 }),
    model: (oracle) => oasisModel({ oracle, seed: 2, least: 0.1 }),
    shapes: ANY_SHAPES,
    tolerance: 1e-4,
    lr: 1,
    hasSchedule: true,
    isCoupled: true,
  },
  ...(['identity', 'adam', 'adagrad', 'hutchinson'] as const).map(
    (preconditioner): RuleCase => ({
      name: `polyak, ${preconditioner}`,
      make: (oracle) =>
        polyak({
          lossAt: oracle.loss,
          preconditioner,
          epsilon: 0.1,
          ...(preconditioner === 'hutchinson' ? { hessianVector: hessianVector(oracle) } : {}),
        }),
      model: (oracle) => polyakModel({ oracle, preconditioner, epsilon: 0.1 }),
      shapes: ANY_SHAPES,
      tolerance: 1e-4,
      lr: 0.5,
      hasSchedule: true,
      isCoupled: true,
    }),
  ),
  {
    name: 'bayesianNewton, one block a parameter',
    make: (oracle) => bayesianNewton({ hessianAt: blockHessians(oracle, 'block'), damping: 0.1 }),
    model: (oracle) => bayesianModel({ oracle, hessianDrift: 0.01, gradientDrift: 0.1, damping: 0.1 }),
    shapes: SMALL,
    tolerance: 1e-5,
    lr: 0.5,
  },
  {
    name: 'bayesianNewton, dense, without drift of the Hessian',
    make: (oracle) =>
      bayesianNewton({
        hessianAt: blockHessians(oracle, 'dense'),
        structure: 'dense',
        hessianDrift: 0,
        gradientDrift: 0.5,
        damping: 0.2,
      }),
    model: (oracle) => bayesianModel({ oracle, hessianDrift: 0, gradientDrift: 0.5, damping: 0.2 }),
    shapes: SMALL,
    tolerance: 1e-5,
    lr: 0.5,
    isCoupled: true,
  },
]
