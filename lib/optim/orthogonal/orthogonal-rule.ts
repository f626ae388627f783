// What Muon and its relatives have in common: average, stack, orthogonalize, finish, unstack.
import type { Device } from '../../device.js'
import { raiseWhereExhausted } from '../../precondition/recovery.js'
import { numberIn } from '../../schedule/validate.js'
import { countElements } from '../describe.js'
import { updateAll } from '../elementwise.js'
import type { Rule, RulePlan } from '../rule.js'
import { AVERAGE_FIELDS, type AverageOptions, type AverageState, type GradientAverage } from './gradient-average.js'
import { ITERATION_FIELDS, type IterationOptions, iterationFlops, iterationOf } from './iteration.js'
import { MATRIX_FIELDS, type MatrixOptions, matrixLayout } from './matrix-blocks.js'
import {
  type AnsweredMatrix,
  createStacks,
  type MatrixStack,
  type MatrixStacks,
  orthogonalizeStacks,
  planOfStacks,
  reportStacks,
  stackBytes,
  stackSlots,
  unstackAnswers,
} from './stacks.js'

/** Options of every rule that orthogonalizes an average. */
export interface OrthogonalOptions extends AverageOptions, IterationOptions, MatrixOptions {
  /** Consecutive failures of one matrix without an error. Default 3. */
  readonly toleratedFailures?: number
}

export const ORTHOGONAL_FIELDS = [
  ...AVERAGE_FIELDS,
  ...ITERATION_FIELDS,
  ...MATRIX_FIELDS,
  'toleratedFailures',
] as const

/** State of the rules of this family. */
export interface OrthogonalState {
  readonly average: AverageState
  readonly matrices: MatrixStacks
}

/** What a rule adds to the orthogonalization of an average. */
export interface OrthogonalRule {
  readonly name: string
  readonly average: GradientAverage
  /** A number list that is kept for each matrix, by its name and length. */
  readonly keeps?: { readonly name: string; readonly length: (outputs: number, inputs: number) => number }
  /** Turns the answers into directions, in place, in a fixed number of native calls a stack. */
  finish(answered: readonly AnsweredMatrix[], stacks: readonly MatrixStack[], step: number, device: Device): void
  /** Native calls on a stack that `finish` makes, and its floating-point operations an element. */
  readonly kernels?: readonly string[]
  readonly flopsPerElement: number
}

export function orthogonalRule(rule: OrthogonalRule, options: OrthogonalOptions): Rule<OrthogonalState> {
  const { name, average, keeps } = rule
  const iteration = iterationOf(name, options)
  const layout = matrixLayout(name, options)
  const toleratedFailures = toleratedFailuresOf(name, options)
  return {
    name,
    init: (parameters, device) => ({
      // The stacks come first: they refuse what is no matrix.
      matrices: createStacks(parameters, device, {
        layout,
        toleratedFailures,
        ...(keeps === undefined ? {} : { keeps: keeps.length }),
      }),
      average: average.init(parameters, device),
    }),
    update: (gradients, state, { clock, step }) => {
      const { matrices } = state
      const { device, parameters } = state.average
      const sources = clock.time('statistics', () => average.advance(gradients, state.average, step))
      const directions = clock.time('apply', () => {
        const { answered, failed } = orthogonalizeStacks(matrices, sources, iteration)
        const stacks = [...new Set(answered.map(({ stack }) => stack))]
        if (answered.length > 0) rule.finish(answered, stacks, step, device)
        const answers = sources.map((source, index) =>
          source === null || failed.has(index) ? null : parameters[index]!.direction,
        )
        unstackAnswers(matrices, answers)
        return answers
      })
      raiseWhereExhausted(
        name,
        matrices.stacks.map(({ ledger }) => ledger),
      )
      return directions
    },
    describe: ({ matrices }) => describeOrthogonal(rule, iteration, matrices),
    slots: ({ average: averages, matrices }) => [
      ...average.slots(averages),
      ...stackSlots(matrices, ({ kept }) => (keeps && kept ? { [keeps.name]: kept.tensor } : {})),
    ],
    report: ({ matrices }) => reportStacks(matrices),
    dispose: ({ average: averages, matrices }) => {
      average.dispose(averages)
      matrices.pool.dispose()
    },
  }
}

export function toleratedFailuresOf(owner: string, { toleratedFailures = 3 }: { toleratedFailures?: number }): number {
  return numberIn(owner, 'toleratedFailures', toleratedFailures, { min: 0, integer: true })
}

/** Multiplies the answers of each stack by a number that its shape decides. */
export function scaleStacks(
  device: Device,
  stacks: readonly MatrixStack[],
  factor: (outputs: number, inputs: number) => number,
): void {
  updateAll(
    device,
    'combine',
    stacks.map(({ output: { tensor }, outputs, inputs }) => ({
      gradient: tensor,
      direction: tensor,
      fromGradient: factor(outputs, inputs),
    })),
  )
}

/** Multiplies each answer by a number of its own. */
export function scaleMatrices(device: Device, answered: readonly AnsweredMatrix[], factors: ArrayLike<number>): void {
  updateAll(
    device,
    'combine',
    answered.map(({ output }, index) => ({ gradient: output, direction: output, fromGradient: factors[index]! })),
  )
}

function describeOrthogonal(
  { name, kernels = [], flopsPerElement }: OrthogonalRule,
  iteration: ReturnType<typeof iterationOf>,
  matrices: MatrixStacks,
): RulePlan {
  const { parameters, stacks } = matrices
  const total = countElements(parameters)
  return {
    rule: name,
    parameters: parameters.length,
    elements: total,
    buckets: planOfStacks(matrices, [`orthogonalize (${iteration.method})`, ...kernels]),
    // Average and direction, and the stacks.
    bytes: 8 * total + stackBytes(matrices),
    flopsPerStep: stacks.reduce(
      (sum, { rows, columns, bucket }) => sum + bucket.blocks.length * iterationFlops(rows, columns, iteration),
      (5 + flopsPerElement) * total,
    ),
    flopsPerRefresh: 0,
    nativeCallsPerStep: stacks.length * (1 + kernels.length),
    nativeCallsPerRefresh: 0,
  }
}
