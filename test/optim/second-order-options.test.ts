import { expect, test } from 'vitest'
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
  type ResidualsAt,
  type Rule,
  saddleFreeNewton,
  singd,
  sophia,
} from '../../lib/optim/index.js'

const hessianVector: HessianVector = (vectors) => vectors
const residualsAt: ResidualsAt = () => ({ batch: 1, jacobian: [], residual: new Float32Array(1) })
const none = undefined as never

test.each<[string, () => Rule<never>, string]>([
  ['lbfgs', () => lbfgs({ history: 0 }), 'history'],
  ['lbfgs', () => lbfgs({ damping: 1 }), 'damping'],
  ['lbfgs', () => lbfgs({ lineSearch: { kind: 'armijo' } }), 'lossAndGradientAt'],
  ['newtonCg', () => newtonCg({ hessianVector: none }), 'hessianVector'],
  ['newtonCg', () => newtonCg({ hessianVector, tolerance: -1 }), 'tolerance'],
  ['saddleFreeNewton', () => saddleFreeNewton({ hessianVector, damping: 0 }), 'damping'],
  ['saddleFreeNewton', () => saddleFreeNewton({ hessianVector, vectors: 1.5 }), 'vectors'],
  ['egn', () => egn({ residualsAt, adapt: {} }), 'lossAt'],
  ['egn', () => egn({ residualsAt, adapt: { factor: 1 }, lossAt: () => 0 }), 'adapt.factor'],
  ['egn', () => egn({ residualsAt, adapt: {}, damping: () => 1, lossAt: () => 0 }), 'damping'],
  ['bayesianNewton', () => bayesianNewton({ hessianAt: none }), 'hessianAt'],
  ['bayesianNewton', () => bayesianNewton({ hessianAt: (v) => v, gradientDrift: -1 }), 'gradientDrift'],
  ['ggt', () => ggt({ window: 0 }), 'window'],
  ['ggt', () => ggt({ epsilon: 0 }), 'epsilon'],
  ['fullMatrixAdagrad', () => fullMatrixAdagrad({ maxElements: 0 }), 'maxElements'],
  ['psgdKron', () => psgdKron({ preconditionerLr: 2 }), 'preconditionerLr'],
  ['psgdKron', () => psgdKron({ updateProbability: 1.5 }), 'updateProbability'],
  ['psgdLra', () => psgdLra({ rank: 0 }), 'rank'],
  ['singd', () => singd({ structure: 'toeplitz' as never }), 'structure'],
  ['singd', () => singd({ maxChange: 1 }), 'maxChange'],
  ['oasis', () => oasis({ hessianVector, firstRate: 0 }), 'firstRate'],
  ['sophia', () => sophia({ estimate: none }), 'estimate'],
  ['sophia', () => sophia({ estimate: { kind: 'hutchinson', hessianVector: none } }), 'estimate.hessianVector'],
  ['adaHessian', () => adaHessian({ hessianVector, average: 0 }), 'average'],
  ['polyak', () => polyak({ lossAt: () => 0, hessianVector }), 'hessianVector'],
  ['polyak', () => polyak({ lossAt: () => 0, preconditioner: 'hutchinson' }), 'hessianVector'],
] as [string, () => Rule<never>, string][])('%s refuses options that make no sense: %s', (owner, make, field) => {
  expect(make).toThrow(
    expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringContaining(`${owner}: ${field}`) }),
  )
})

test('unknown options are named', () => {
  expect(() => psgdKron({ momentum: 0.9 } as never)).toThrow(/there is no option 'momentum'/)
})
