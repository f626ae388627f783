import {
  adamuon,
  dion,
  type ModuleTree,
  type MuonScale,
  modularNorm,
  muon,
  normuon,
  spectralDescent,
} from '../../../lib/optim/index.js'
import { initialBasis } from '../../../lib/optim/orthogonal/power-iteration.js'
import { polarFactor } from '../dense64.js'
import { dionModel } from '../models/dion.js'
import { perParameter } from '../models/model.js'
import { modularModel } from '../models/modular-norm.js'
import {
  elementwise,
  neuronwise,
  nuclear,
  type OrthogonalModelOptions,
  orthogonalModel,
  type Scale,
  scaled,
  spectralScale,
} from '../models/muon.js'
import { COEFFICIENTS, newtonSchulz } from '../models/newton-schulz.js'
import { MATRICES, type RuleCase } from './rule-case.js'

const modelOf = (options: Partial<OrthogonalModelOptions> & Pick<OrthogonalModelOptions, 'finish'>) => () =>
  perParameter(orthogonalModel({ momentum: 0.95, nesterov: true, orthogonalize: (a) => newtonSchulz(a), ...options }))

/** Six outputs, so that [3, 2, 1] and three heads cut all of them; equal blocks of different weights. */
const SIX_OUTPUTS: RuleCase['shapes'] = [
  [6, 4],
  [6, 2, 2],
  [6, 8],
]

const FULL_RANK: RuleCase['shapes'] = [
  [6, 4],
  [4, 6],
  [6, 4],
  [3, 2, 2],
]

const SCALES: Record<MuonScale, Scale> = {
  spectral: spectralScale,
  'match-rms-adamw': (outputs, inputs) => 0.2 * Math.sqrt(Math.max(outputs, inputs)),
  'unit-rms': (outputs, inputs) => Math.sqrt(outputs / inputs),
  none: () => 1,
}

/** The polynomials of CANS are steep at 1, where the largest singular value of a gradient of low rank starts. */
const tableTolerance = (table: string) => (table === 'cans' ? 2e-3 : 3e-5)

const MUON: readonly RuleCase[] = [
  {
    name: 'muon',
    make: () => muon(),
    model: modelOf({ finish: scaled(spectralScale) }),
    shapes: MATRICES,
    tolerance: 3e-5,
    lr: 0.05,
  },
  {
    name: 'muon, Gram form',
    make: () => muon({ method: 'gram-newton-schulz', nesterov: false }),
    model: modelOf({ finish: scaled(spectralScale), nesterov: false }),
    shapes: MATRICES,
    tolerance: 3e-5,
    lr: 0.05,
  },
  ...Object.keys(COEFFICIENTS).map(
    (table): RuleCase => ({
      name: `muon, table ${table}`,
      make: () => muon({ table: table as 'quintic' }),
      model: modelOf({ orthogonalize: (a) => newtonSchulz(a, table), finish: scaled(spectralScale) }),
      shapes: FULL_RANK,
      tolerance: tableTolerance(table),
      lr: 0.05,
    }),
  ),
  ...(Object.keys(SCALES) as MuonScale[]).map(
    (scale): RuleCase => ({
      name: `muon, exact polar factor, scale ${scale}, no Nesterov, outputs last`,
      make: () => muon({ method: 'polar', nesterov: false, momentum: 0.9, scale, outputs: 'last' }),
      model: modelOf({
        momentum: 0.9,
        nesterov: false,
        orthogonalize: polarFactor,
        outputs: 'last',
        finish: scaled(SCALES[scale]),
      }),
      shapes: FULL_RANK,
      tolerance: 5e-6,
      lr: scale === 'match-rms-adamw' ? 0.2 : 0.1,
    }),
  ),
  {
    name: 'muon, fused weight of three splits',
    make: () => muon({ splits: [3, 2, 1] }),
    model: modelOf({ pieces: () => [3, 2, 1], finish: scaled(spectralScale) }),
    shapes: SIX_OUTPUTS,
    tolerance: 3e-5,
    lr: 0.05,
  },
  {
    name: 'muon, heads over the inputs, outputs last',
    make: () => muon({ heads: 3, side: 'inputs', outputs: 'last', scale: 'unit-rms' }),
    model: modelOf({
      pieces: (size) => [size / 3, size / 3, size / 3],
      side: 'inputs',
      outputs: 'last',
      finish: scaled(SCALES['unit-rms']),
    }),
    shapes: SIX_OUTPUTS,
    tolerance: 3e-5,
    lr: 0.05,
  },
]

const RELATIVES: readonly RuleCase[] = [
  {
    name: 'normuon',
    make: () => normuon(),
    model: modelOf({ finish: neuronwise(0.95, spectralScale) }),
    shapes: MATRICES,
    tolerance: 3e-5,
    lr: 0.05,
  },
  {
    name: 'normuon, exact polar factor, splits of the inputs, outputs last',
    make: () =>
      normuon({
        method: 'polar',
        beta2: 0.9,
        scale: 'match-rms-adamw',
        splits: [4, 2],
        side: 'inputs',
        outputs: 'last',
      }),
    model: modelOf({
      orthogonalize: polarFactor,
      outputs: 'last',
      pieces: () => [4, 2],
      side: 'inputs',
      finish: neuronwise(0.9, SCALES['match-rms-adamw']),
    }),
    shapes: [
      [6, 4],
      [3, 2, 4],
    ],
    tolerance: 1e-5,
    lr: 0.2,
  },
  {
    name: 'adamuon',
    make: () => adamuon(),
    model: modelOf({ signs: true, finish: elementwise(0.95, 1e-8, 0.2) }),
    shapes: MATRICES,
    tolerance: 2e-5,
    lr: 0.2,
  },
  {
    name: 'adamuon, no Nesterov, outputs last',
    make: () => adamuon({ momentum: 0.9, nesterov: false, beta2: 0.9, rms: 0.5, outputs: 'last' }),
    model: modelOf({
      momentum: 0.9,
      nesterov: false,
      signs: true,
      outputs: 'last',
      finish: elementwise(0.9, 1e-8, 0.5),
    }),
    shapes: MATRICES,
    tolerance: 2e-5,
    lr: 0.1,
  },
  {
    name: 'spectralDescent',
    make: () => spectralDescent(),
    model: modelOf({ momentum: 0, nesterov: false, orthogonalize: polarFactor, finish: nuclear }),
    shapes: FULL_RANK,
    tolerance: 1e-6,
    lr: 0.3,
  },
  {
    name: 'spectralDescent, average, heads over the inputs, outputs last',
    make: () => spectralDescent({ momentum: 0.9, nesterov: true, heads: 2, side: 'inputs', outputs: 'last' }),
    model: modelOf({
      momentum: 0.9,
      orthogonalize: polarFactor,
      outputs: 'last',
      pieces: (size) => [size / 2, size / 2],
      side: 'inputs',
      finish: nuclear,
    }),
    shapes: [
      [6, 4],
      [3, 2, 4],
    ],
    tolerance: 1e-5,
    lr: 0.3,
  },
  {
    name: 'dion',
    make: () => dion({ rank: 2 }),
    model: () =>
      dionModel({
        momentum: 0.95,
        rank: () => 2,
        epsilon: 1e-6,
        start: (index, inputs, rank) => initialBasis(`p${index}`, 0, inputs, rank, 0),
      }),
    shapes: MATRICES,
    tolerance: 1e-5,
    lr: 0.05,
  },
  {
    name: 'dion, half the rank, outputs last',
    make: () => dion({ rank: { fraction: 0.5 }, momentum: 0.9, seed: 3, outputs: 'last' }),
    model: () =>
      dionModel({
        momentum: 0.9,
        outputs: 'last',
        rank: (shorter) => Math.ceil(shorter / 2),
        epsilon: 1e-6,
        start: (index, inputs, rank) => initialBasis(`p${index}`, 0, inputs, rank, 3),
      }),
    shapes: MATRICES,
    tolerance: 1e-5,
    lr: 0.05,
  },
]

/** An embedding, a hidden weight with a bias in a residual block of mass 2, a head and a gain. */
const network = (prefix = ''): ModuleTree => ({
  series: [
    { parameter: `${prefix}p0`, role: 'embedding' },
    {
      parallel: [
        { sensitivity: 0.5 },
        {
          series: [
            { parameter: `${prefix}p1`, role: 'hidden', mass: 3 },
            { parameter: `${prefix}p2`, role: 'bias' },
            { sensitivity: 0.5 },
          ],
        },
      ],
      mass: 2,
    },
    { parameter: `${prefix}p3`, role: 'head', sensitivity: 2 },
    { parameter: `${prefix}p4`, role: 'norm' },
  ],
})

/** The networks of the conformance test side by side: m = 5, 5 and 1. */
const modules: ModuleTree = {
  parallel: [network(), network('still '), { parameter: 'w', role: 'hidden' }],
}

/**
 * Of the network, m = 1 + 2 + 1 + 1 = 5; of its residual block 2, of the branch in it 4 and of that p1 3. Sensitivities behind
 * a parameter: of the block 1/2 + 1/2 = 1, of the head 2. Each is one of three networks, 11 / 5.
 */
const MODULAR_PARAMETERS = [
  { family: 'embedding', scale: (11 / 5) * 5 * 2 },
  { family: 'linear', scale: (11 / 5) * (5 / 2) * 2 * (4 / 3) * 0.5 },
  { family: 'vector', scale: (11 / 5) * (5 / 2) * 2 * 4 * 0.5 },
  { family: 'linear', scale: (11 / 5) * 5 },
  { family: 'vector', scale: (11 / 5) * 5 },
] as const

const MODULAR: readonly RuleCase[] = [
  {
    name: 'modularNorm',
    make: () => modularNorm({ modules }),
    model: () => modularModel({ parameters: MODULAR_PARAMETERS, momentum: 0 }),
    shapes: [[5, 3], [4, 6], [4], [6, 4], []],
    tolerance: 2e-6,
    lr: 20,
    isCoupled: true,
  },
  {
    name: 'modularNorm of unit length, with an average',
    make: () => modularNorm({ modules, length: 'unit', momentum: 0.9 }),
    model: () => modularModel({ parameters: MODULAR_PARAMETERS, momentum: 0.9, isUnit: true }),
    shapes: [[5, 3], [4, 6], [4], [6, 4], []],
    tolerance: 2e-6,
    lr: 1,
    isCoupled: true,
  },
]

export const ORTHOGONAL: readonly RuleCase[] = [...MUON, ...RELATIVES, ...MODULAR]
