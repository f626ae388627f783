import {
  adamw,
  asgo,
  eigenvalueCorrectedShampoo,
  klShampoo,
  klSoap,
  shampoo,
  soap,
  splus,
} from '../../../lib/optim/index.js'
import { eigen, type Matrix } from '../dense64.js'
import { diagonalModel } from '../models/first-order.js'
import { perParameter } from '../models/model.js'
import { shampooModel } from '../models/shampoo.js'
import { correctedModel, soapModel, splusModel } from '../models/soap.js'
import { ANY_SHAPES, type RuleCase } from './rule-case.js'

const trace = (value: number) => (factor: Matrix) => {
  let sum = 0
  for (let i = 0; i < factor.rows; i++) sum += factor.data[i * factor.rows + i]!
  return (value * sum) / factor.rows
}

const relative = (value: number) => (factor: Matrix) => value * Math.max(...eigen(factor).values)

const adam = { beta1: 0.9, beta2: 0.999, isSecondCorrected: true, epsilon: 1e-8 }

const soapDefaults = { beta1: 0.95, beta2: 0.95, factorBeta: 0.95, epsilon: 1e-8 }

/** The first gradient gives factors of full rank: eigenbases of null spaces are arbitrary, and so would be the directions. */
const FULL_RANK: RuleCase['shapes'] = [[5, 5], [4, 4], [5, 5], [5], []]

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
  {
    name: 'shampoo, diagonal factors of large sides, trace scaling, statistics every 2',
    make: () =>
      shampoo({
        beta2: 0.9,
        merge: 'none',
        sides: { largest: 4 },
        traceScaling: 0.5,
        exponentOverride: { 1: 0.5, 2: 0.5 },
        ridge: { absolute: 1e-4 },
        refresh: { statistics: 2 },
        graft: 'adam',
      }),
    model: () =>
      perParameter(
        shampooModel({
          beta1: 0.9,
          beta2: 0.9,
          exponent: 0.5,
          ridge: () => 1e-4,
          kind: (shape, dimension) => (shape[dimension]! <= 4 ? 'full' : 'diagonal'),
          traceExponent: 0.5,
          statisticsEvery: 2,
          graft: diagonalModel({ ...adam, epsilon: 1e-10 }),
        }),
      ),
    shapes: [[6, 4], [5], [6, 4], [4, 6], [6, 5], []],
    tolerance: 2e-5,
    lr: 0.05,
    hasSchedule: true,
  },
  {
    name: 'shampoo, sums and roots in f64',
    make: () => shampoo({ merge: 'none', storage: 'f64', ridge: { relative: 1e-4 }, root: { method: 'eigh' } }),
    model: () => perParameter(shampooModel({ beta1: 0.9, beta2: 1, ridge: relative(1e-4) })),
    shapes: ANY_SHAPES,
    // In f32 it is 1e-4: rounding of the statistics no longer reaches their null spaces.
    tolerance: 1e-5,
    lr: 0.3,
  },
  {
    name: 'shampoo, averages kept in bf16',
    make: () => shampoo({ merge: 'none', storage: 'bf16', beta2: 0.9, ridge: { relative: 1e-2 } }),
    model: () => perParameter(shampooModel({ beta1: 0.9, beta2: 0.9, ridge: relative(1e-2) })),
    shapes: ANY_SHAPES,
    tolerance: 5e-2,
    lr: 0.05,
  },
  {
    name: 'asgo',
    make: () => asgo({ ridge: { absolute: 1e-4 } }),
    model: () =>
      perParameter(
        shampooModel({
          beta1: 0.95,
          beta2: 0.95,
          exponent: 0.5,
          ridge: () => 1e-4,
          kind: (shape, dimension) => (dimension === shape.indexOf(Math.min(...shape)) ? 'full' : 'none'),
        }),
      ),
    shapes: [[6, 4], [5], [6, 4], [4, 6], [5, 5], []],
    tolerance: 5e-5,
    lr: 0.05,
  },
  {
    name: 'asgo, diagonal, sum',
    make: () => asgo({ ridge: { absolute: 1e-4 }, factor: 'diagonal', beta2: 1 }),
    model: () =>
      perParameter(
        shampooModel({
          beta1: 0.95,
          beta2: 1,
          exponent: 0.5,
          ridge: () => 1e-4,
          kind: (shape, dimension) => (dimension === shape.indexOf(Math.min(...shape)) ? 'diagonal' : 'none'),
        }),
      ),
    shapes: [[6, 4], [5], [6, 4], [4, 6], [5, 5], []],
    tolerance: 5e-5,
    lr: 1.5,
  },
  {
    name: 'klShampoo',
    make: () => klShampoo({ merge: 'none', ridge: { absolute: 1e-4 }, refresh: { every: 2, start: 1 } }),
    model: () =>
      perParameter(
        shampooModel({
          beta1: 0.9,
          beta2: 0.95,
          exponent: 0.5,
          ridge: () => 1e-4,
          every: 2,
          start: 1,
          isWhitened: true,
        }),
      ),
    shapes: ANY_SHAPES,
    tolerance: 2e-4,
    lr: 0.05,
    hasSchedule: true,
  },
  {
    name: 'soap',
    make: () => soap({ refresh: { every: 3 } }),
    model: () => perParameter(soapModel({ ...soapDefaults, every: 3, update: 'iterate' })),
    shapes: FULL_RANK,
    tolerance: 1e-3,
    lr: 0.05,
    firstMove: 2,
    hasSchedule: true,
  },
  {
    name: 'soap, one-sided, decomposed every step, other betas',
    make: () =>
      soap({
        beta1: 0.9,
        beta2: 0.99,
        factorBeta: 0.9,
        epsilon: 1e-6,
        sides: { which: 'smallest' },
        update: 'decompose',
        refresh: { every: 1 },
      }),
    model: () =>
      perParameter(
        soapModel({
          beta1: 0.9,
          beta2: 0.99,
          factorBeta: 0.9,
          epsilon: 1e-6,
          every: 1,
          update: 'decompose',
          hasFactor: (shape, dimension) => dimension === shape.indexOf(Math.min(...shape)),
        }),
      ),
    shapes: [[6, 4], [4, 6], [5], [6, 4], [3, 2, 4], []],
    tolerance: 1e-3,
    lr: 0.05,
    firstMove: 2,
  },
  {
    name: 'soap, sums in f64',
    make: () => soap({ storage: 'f64', refresh: { every: 3 } }),
    model: () => perParameter(soapModel({ ...soapDefaults, every: 3, update: 'iterate' })),
    shapes: FULL_RANK,
    tolerance: 1e-3,
    lr: 0.05,
    firstMove: 2,
    hasSchedule: true,
  },
  {
    name: 'klSoap',
    make: () => klSoap({ refresh: { every: 2 } }),
    model: () => perParameter(soapModel({ ...soapDefaults, every: 2, update: 'iterate', isWhitened: true })),
    shapes: FULL_RANK.filter((shape) => shape.length < 3),
    tolerance: 2e-3,
    lr: 0.05,
    firstMove: 2,
    hasSchedule: true,
  },
  {
    name: 'eigenvalueCorrectedShampoo',
    make: () =>
      eigenvalueCorrectedShampoo({
        beta2: 0.95,
        merge: 'none',
        correctionBeta: 0.9,
        epsilon: 1e-8,
        refresh: { every: 3 },
      }),
    model: () =>
      perParameter(correctedModel({ beta1: 0.9, beta2: 0.95, correctionBeta: 0.9, epsilon: 1e-8, every: 3 })),
    shapes: [[5, 5], [4, 4], [5, 5], [3], [3, 2, 4], []],
    tolerance: 1e-3,
    lr: 0.05,
    hasSchedule: true,
  },
  {
    name: 'splus',
    make: () => splus({ averageBeta: 0.9, refresh: { every: 1, burnIn: 4 }, vectorScale: 0.1 }),
    model: () => perParameter(splusModel({ beta1: 0.9, beta2: 0.999, vectorScale: 0.1, burnIn: 4 })),
    shapes: [[6, 4], [5], [6, 4], [4, 6], []],
    tolerance: 1e-3,
    lr: 0.3,
    firstMove: 5,
    hasSchedule: true,
  },
]
