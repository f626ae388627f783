import type { Device } from '../../device.js'
import { checkFields } from '../../errors.js'
import { reduce } from '../../linalg/reduce.js'
import { withViews } from '../../precondition/arrays.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn, oneOf } from '../../schedule/validate.js'
import type { Tensor } from '../../tensor.js'
import { updateAll } from '../elementwise.js'
import type { Rule } from '../rule.js'
import { gradientAverage } from './gradient-average.js'
import {
  ORTHOGONAL_FIELDS,
  type OrthogonalOptions,
  type OrthogonalState,
  orthogonalRule,
  scaleMatrices,
} from './orthogonal-rule.js'
import { divideSlices, sliceSquares } from './slices.js'
import type { AnsweredMatrix, MatrixStack } from './stacks.js'
import { type MuonScale, SCALE_NAMES, UPDATE_SCALES } from './update-scale.js'

/** Options of {@link normuon}. Defaults: momentum 0.95, with Nesterov. */
export interface NorMuonOptions extends OrthogonalOptions {
  /** Decay of the second moment of each neuron, 0 <= beta2 < 1. Default 0.95. */
  readonly beta2?: Schedule
  /** Added to the root of the second moment, > 0. Default 1e-10. */
  readonly epsilon?: number
  /** Factor of the update by shape. Default `spectral`; `match-rms-adamw` is the paper's 0.2 sqrt(out in) / |O / sqrt(v)|. */
  readonly scale?: MuonScale
}

/**
 * NorMuon: Muon, with neurons that move alike. O = U V^T as in {@link muon}, then for each output i of a matrix
 *
 *     v_i <- beta2 v_i + (1 - beta2) mean_j O_ij^2
 *     P_ij = O_ij / (sqrt(v_i) + epsilon)
 *     D = s |O|_F P / |P|_F
 *
 * with the factors s, the flattening, `splits` and `heads` of Muon. The averages need no correction for their start at
 * zero, which P / |P| does not see. State: 1 fp32 number an element and 1 an output.
 *
 * Source: Li et al., NorMuon, arXiv 2510.05491, algorithm 1; the norm before is that of its published code.
 */
export function normuon(options: NorMuonOptions = {}): Rule<OrthogonalState> {
  checkFields('normuon', options, [...ORTHOGONAL_FIELDS, 'beta2', 'epsilon', 'scale'])
  const beta2 = hyperparameter('normuon', 'beta2', options.beta2 ?? 0.95, { min: 0, below: 1 })
  const epsilon = numberIn('normuon', 'epsilon', options.epsilon ?? 1e-10, { above: 0 })
  const scale = UPDATE_SCALES[oneOf('normuon', 'scale', options.scale ?? 'spectral', SCALE_NAMES)]
  return orthogonalRule(
    {
      name: 'normuon',
      average: gradientAverage('normuon', options, { momentum: 0.95, nesterov: true }),
      keeps: { name: 'secondMoment', length: (outputs) => outputs },
      finish: (answered, stacks, step, device) => {
        const before = norms(device, answered)
        averageNeurons(device, answered, stacks, beta2(step))
        for (const stack of stacks) divideSlices(stack.output.tensor, stack.neurons, stack.kept!.tensor, epsilon)
        const after = norms(device, answered)
        const factors = answered.map(({ stack: { outputs, inputs } }, index) =>
          after[index]! > 0 ? (scale(outputs, inputs) * before[index]!) / after[index]! : 0,
        )
        scaleMatrices(device, answered, factors)
      },
      kernels: ['kronSquares', 'matmul', 'kronSolve'],
      flopsPerElement: 10,
    },
    options,
  )
}

function norms(device: Device, answered: readonly AnsweredMatrix[]): readonly number[] {
  const squares = reduce(
    device,
    'dot',
    answered.map(({ output }) => ({ x: output })),
  )
  return Array.from(squares, Math.sqrt)
}

/** v <- beta2 v + (1 - beta2) mean_j O_ij^2 */
function averageNeurons(
  device: Device,
  answered: readonly AnsweredMatrix[],
  stacks: readonly MatrixStack[],
  beta2: number,
): void {
  const means = new Map<MatrixStack, Tensor>()
  try {
    for (const stack of stacks) {
      const { input, output, inputs } = stack
      // The input of the stack, which has served, takes the squares.
      means.set(stack, sliceSquares(output.tensor, stack.neurons, input.tensor, 1 / inputs))
    }
    withViews((views) =>
      updateAll(
        device,
        'momentum',
        answered.map(({ stack, index, kept }) => ({
          gradient: views.of(means.get(stack)!, index * stack.outputs, stack.outputs),
          m: kept,
          mDecay: beta2,
          mWeight: 1 - beta2,
        })),
      ),
    )
  } finally {
    for (const tensor of means.values()) tensor.dispose()
  }
}
