import { adagrad, adamw, rmsprop, sgd } from '../../../lib/optim/index.js'
import { diagonalModel, sgdModel } from '../models/first-order.js'
import { perParameter } from '../models/model.js'
import { ANY_SHAPES, type RuleCase } from './rule-case.js'

const adam = { beta1: 0.9, beta2: 0.999, isSecondCorrected: true, epsilon: 1e-8 }

export const FIRST_ORDER: readonly RuleCase[] = [
  {
    name: 'sgd',
    make: () => sgd(),
    model: () => perParameter(sgdModel()),
    shapes: ANY_SHAPES,
    tolerance: 1e-7,
    lr: 0.2,
  },
  {
    name: 'sgd, heavy ball with dampening',
    make: () => sgd({ momentum: 0.9, dampening: 0.3 }),
    model: () => perParameter(sgdModel({ momentum: 0.9, dampening: 0.3 })),
    shapes: ANY_SHAPES,
    tolerance: 1e-6,
    lr: 0.05,
  },
  {
    name: 'sgd, Nesterov',
    make: () => sgd({ momentum: 0.9, nesterov: true }),
    model: () => perParameter(sgdModel({ momentum: 0.9, nesterov: true })),
    shapes: ANY_SHAPES,
    tolerance: 1e-6,
    lr: 0.05,
  },
  {
    name: 'adamw',
    make: () => adamw(),
    model: () => perParameter(diagonalModel(adam)),
    shapes: ANY_SHAPES,
    tolerance: 1e-6,
    lr: 0.05,
  },
  {
    name: 'adamw without first moment',
    make: () => adamw({ beta1: 0, beta2: 0.95, epsilon: 1e-6 }),
    model: () => perParameter(diagonalModel({ ...adam, beta1: 0, beta2: 0.95, epsilon: 1e-6 })),
    shapes: ANY_SHAPES,
    tolerance: 1e-6,
    lr: 0.05,
  },
  {
    name: 'rmsprop',
    make: () => rmsprop(),
    model: () => perParameter(diagonalModel({ beta1: 0, beta2: 0.99, isSecondCorrected: false, epsilon: 1e-8 })),
    shapes: ANY_SHAPES,
    tolerance: 1e-6,
    lr: 0.02,
  },
  {
    name: 'adagrad',
    make: () => adagrad(),
    model: () => perParameter(diagonalModel({ beta1: 0, beta2: 'sum', isSecondCorrected: false, epsilon: 1e-10 })),
    shapes: ANY_SHAPES,
    tolerance: 1e-6,
    lr: 0.5,
  },
]
