import { muon } from '../../../lib/optim/index.js'
import { perParameter } from '../models/model.js'
import { muonModel } from '../models/muon.js'
import { MATRICES, type RuleCase } from './rule-case.js'

const firstDimension = (shape: readonly number[]) => {
  const rows = shape[0]!
  return [rows, shape.slice(1).reduce((product, dimension) => product * dimension, 1)] as const
}
const lastDimension = (shape: readonly number[]) => {
  const columns = shape[shape.length - 1]!
  return [shape.slice(0, -1).reduce((product, dimension) => product * dimension, 1), columns] as const
}

export const ORTHOGONAL: readonly RuleCase[] = [
  {
    name: 'muon',
    make: () => muon(),
    model: () =>
      perParameter(
        muonModel({
          momentum: 0.95,
          nesterov: true,
          isExact: false,
          flatten: firstDimension,
          scale: (rows, columns) => Math.sqrt(Math.max(1, rows / columns)),
        }),
      ),
    shapes: MATRICES,
    tolerance: 3e-5,
    lr: 0.05,
  },
  {
    name: 'muon, exact polar factor, no Nesterov, outputs last',
    make: () => muon({ method: 'polar', nesterov: false, momentum: 0.9, scale: 'match-rms-adamw', outputs: 'last' }),
    model: () =>
      perParameter(
        muonModel({
          momentum: 0.9,
          nesterov: false,
          isExact: true,
          flatten: lastDimension,
          scale: (rows, columns) => 0.2 * Math.sqrt(Math.max(rows, columns)),
        }),
      ),
    shapes: [
      [6, 4],
      [4, 6],
      [6, 4],
      [3, 2, 2],
    ],
    tolerance: 5e-6,
    lr: 0.2,
  },
]
