import type { Device } from '../../device.js'
import { checkFields } from '../../errors.js'
import { matmul } from '../../linalg/matmul.js'
import { disposeArrays, type ParameterArray, zeros } from '../../precondition/arrays.js'
import { stackBlocks } from '../../precondition/blocks.js'
import { elements } from '../../precondition/plan.js'
import { raiseWhereExhausted } from '../../precondition/recovery.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn, oneOf, optionError } from '../../schedule/validate.js'
import { countElements } from '../describe.js'
import { updateAll } from '../elementwise.js'
import type { Gradients, Rule, RulePlan } from '../rule.js'
import { MATRIX_FIELDS, type MatrixOptions, matrixLayout } from './matrix-blocks.js'
import { toleratedFailuresOf } from './orthogonal-rule.js'
import { type DionStack, iteratePower, normalizeImages, type Present, withBasis } from './power-iteration.js'
import {
  createStacks,
  type MatrixStacks,
  planOfStacks,
  reportStacks,
  stackBytes,
  stackSlots,
  unstackAnswers,
} from './stacks.js'
import { type MuonScale, SCALE_NAMES, UPDATE_SCALES } from './update-scale.js'

/** Options of {@link dion}. */
export interface DionOptions extends MatrixOptions {
  /** Rank r of the updates: a number >= 1, at most the shorter side of a matrix, or a fraction of that side. Default { fraction: 0.25 }. */
  readonly rank?: number | { readonly fraction: number }
  /** Decay mu of the momentum, 0 <= mu < 1. Default 0.95. */
  readonly momentum?: Schedule
  /** Added to the column norms of R, relative to its largest entry, >= 0. Default 1e-6, above the rounding of fp32. */
  readonly epsilon?: number
  /** Factor of the update by shape. Default `unit-rms`. */
  readonly scale?: MuonScale
  /** Of the random bases that the iteration starts from. Default 0. */
  readonly seed?: number
  /** Consecutive failures of one matrix without an error. Default 3. */
  readonly toleratedFailures?: number
}

/** State of {@link dion}. */
export interface DionState {
  readonly device: Device
  readonly matrices: MatrixStacks<DionStack>
  readonly directions: readonly ParameterArray[]
}

interface Settings {
  readonly momentum: (step: number) => number
  readonly epsilon: number
  readonly scale: (outputs: number, inputs: number) => number
}

/**
 * Dion: orthonormal updates of rank r by one power iteration a step, with error feedback. For a weight outputs x inputs,
 *
 *     B = M + G
 *     P = orthonormal basis of B Q (QR)      outputs x r
 *     R = B^T P                              inputs x r
 *     M <- B - (1 - mu) P R^T                what is not in the update stays
 *     Q <- R with columns of length 1
 *     D = s P Q^T,  s = sqrt(out / in)
 *
 * Q starts at random. At a constant gradient P Q^T goes to the U V^T of its r largest singular values. Columns of R that are
 * rounding, of gradients of lower rank than r, are damped by `epsilon`. Flattening, `splits` and `heads` are those of Muon.
 * State: 1 fp32 number an element, and r an input.
 *
 * Source: Ahn et al., Dion, arXiv 2504.05295, algorithm 1.
 */
export function dion(options: DionOptions = {}): Rule<DionState> {
  const fields = [...MATRIX_FIELDS, 'rank', 'momentum', 'epsilon', 'scale', 'seed', 'toleratedFailures']
  checkFields('dion', options, fields)
  const rank = rankOf(options.rank ?? { fraction: 0.25 })
  const seed = numberIn('dion', 'seed', options.seed ?? 0, { min: 0, integer: true })
  const layout = matrixLayout('dion', options)
  const toleratedFailures = toleratedFailuresOf('dion', options)
  const settings: Settings = {
    momentum: hyperparameter('dion', 'momentum', options.momentum ?? 0.95, { min: 0, below: 1 }),
    epsilon: numberIn('dion', 'epsilon', options.epsilon ?? 1e-6, { min: 0 }),
    scale: UPDATE_SCALES[oneOf('dion', 'scale', options.scale ?? 'unit-rms', SCALE_NAMES)],
  }
  return {
    name: 'dion',
    init: (parameters, device) => {
      const matrices = createStacks(parameters, device, { layout, toleratedFailures })
      return {
        device,
        matrices: { ...matrices, stacks: matrices.stacks.map((stack) => withBasis(matrices, stack, rank, seed)) },
        directions: parameters.map(({ shape }) => zeros(device, elements(shape))),
      }
    },
    update: (gradients, state, { clock, step }) => {
      const directions = clock.time('apply', () => update(settings, state, gradients, step))
      raiseWhereExhausted(
        'dion',
        state.matrices.stacks.map(({ ledger }) => ledger),
      )
      return directions
    },
    describe: ({ matrices }) => describeDion(matrices),
    slots: ({ matrices }) =>
      stackSlots(matrices, ({ momentum, basis }) => ({ momentum: momentum.tensor, basis: basis.tensor })),
    report: ({ matrices }) => reportStacks(matrices),
    dispose: ({ matrices, directions }) => {
      matrices.pool.dispose()
      disposeArrays(directions)
    },
  }
}

function rankOf(rank: unknown): (shorter: number) => number {
  if (typeof rank === 'number') {
    numberIn('dion', 'rank', rank, { min: 1, integer: true })
    return (shorter) => Math.min(rank, shorter)
  }
  if (typeof rank !== 'object' || rank === null) throw optionError('dion', 'rank', rank, 'a number or { fraction }')
  checkFields('dion: rank', rank, ['fraction'])
  const fraction = numberIn('dion', 'rank.fraction', (rank as { fraction: unknown }).fraction, { above: 0, max: 1 })
  return (shorter) => Math.ceil(fraction * shorter)
}

function update(settings: Settings, state: DionState, gradients: Gradients, step: number): Gradients {
  const { device, matrices } = state
  const stacks = matrices.stacks.filter(({ bucket }) => bucket.blocks.some(({ parameter }) => gradients[parameter]))
  const present = stacks.flatMap((stack) =>
    stack.bucket.blocks.flatMap(({ parameter }, index) => (gradients[parameter] ? [{ stack, index }] : [])),
  )
  const directions = gradients.map((gradient, index) => gradient && state.directions[index]!)
  if (present.length === 0) return directions
  for (const { bucket, host, input } of stacks) stackBlocks({ bucket, stack: host, input: input.tensor }, gradients)
  addToMomentum(device, present, 'input', 1)
  for (const stack of stacks) {
    for (const index of iteratePower(stack, gradients)) directions[stack.bucket.blocks[index]!.parameter] = null
  }
  addToMomentum(device, present, 'output', settings.momentum(step) - 1)
  normalizeImages(device, present, stacks, settings.epsilon)
  for (const { neurons, outputs, inputs, left, image, output } of stacks) {
    const [a, b] = neurons === 'rows' ? [left, image.tensor] : [image.tensor, left]
    matmul(a, b, { transposeB: true, alpha: settings.scale(outputs, inputs), out: output.tensor })
  }
  unstackAnswers(matrices, directions)
  return directions
}

/** M <- M + weight X, X the input or the output of the stack. */
function addToMomentum(device: Device, present: readonly Present[], from: 'input' | 'output', weight: number): void {
  updateAll(
    device,
    'momentum',
    present.map(({ stack, index }) => ({
      gradient: stack[from].parts[index]!,
      m: stack.momentum.parts[index],
      mDecay: 1,
      mWeight: weight,
    })),
  )
}

const KERNELS = ['matmul x 4', 'qr', 'kronSquares', 'matmul', 'kronSolve']

function describeDion(matrices: DionState['matrices']): RulePlan {
  const { parameters, stacks } = matrices
  const total = countElements(parameters)
  return {
    rule: 'dion',
    parameters: parameters.length,
    elements: total,
    buckets: planOfStacks(matrices, KERNELS),
    bytes: 4 * total + stackBytes(matrices),
    // Four products with r columns, and the QR.
    flopsPerStep: stacks.reduce(
      (sum, { bucket, outputs, rank }) =>
        sum + bucket.blocks.length * (8 * bucket.size * rank + 4 * outputs * rank ** 2),
      4 * total,
    ),
    flopsPerRefresh: 0,
    nativeCallsPerStep: 8 * stacks.length,
    nativeCallsPerRefresh: 0,
  }
}
