import type { Device } from '../../device.js'
import { checkFields } from '../../errors.js'
import { matmul } from '../../linalg/matmul.js'
import { onHost } from '../../precondition/arrays.js'
import { FailureLedger, raiseWhereExhausted } from '../../precondition/recovery.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn } from '../../schedule/validate.js'
import type { Tensor } from '../../tensor.js'
import { answeredLoss, callback, type LossAt } from '../oracle.js'
import type { Gradients, ParameterSpec, Rule, RuleContext } from '../rule.js'
import { arraySlot } from '../slots.js'
import { type AdaptiveDamping, type DampingOptions, dampingRule } from './adaptive-damping.js'
import { gaussNewtonForm, solveGaussNewton, stackedJacobian } from './gauss-newton.js'
import { groupPlan } from './group-plan.js'
import { GroupSpace, type GroupVector, hostParts } from './group-space.js'
import { type LineSearch, type LineSearchOptions, lineSearch } from './line-search.js'
import { answeredResiduals, type Residuals, type ResidualsAt } from './residuals.js'

/** Options of {@link egn}. */
export interface EgnOptions {
  /** Residuals of the current batch, their Jacobian and the Hessian of the loss in the outputs. */
  readonly residualsAt: ResidualsAt
  /** lambda > 0; the first one, where it adapts. Default 1. */
  readonly damping?: Schedule
  /** Lets lambda follow the reduction ratio; needs `lossAt`, and a number for `damping`. Default: it does not. */
  readonly adapt?: DampingOptions
  /** Decay mu of the heavy ball, 0 <= mu < 1. Default 0. */
  readonly momentum?: Schedule
  /** Armijo's search along the direction, in multiples of lr; needs `lossAt`. Default: none. */
  readonly lineSearch?: Omit<LineSearchOptions, 'kind' | 'curvature'>
  /** Loss of the current batch. */
  readonly lossAt?: LossAt
  /** Consecutive failed solves without an error; the parameters stay meanwhile. Default 3. */
  readonly toleratedFailures?: number
}

/** State of {@link egn}. */
export interface EgnState {
  readonly space: GroupSpace
  readonly momentum: GroupVector
  /** [lambda] */
  readonly damping: Float64Array
  readonly ledger: FailureLedger
  readonly scratch: Record<'gradient' | 'values' | 'direction' | 'trial', GroupVector>
  readonly row: { readonly matrix: Tensor; readonly vector: GroupVector }
}

interface Settings {
  readonly residualsAt: ResidualsAt
  readonly lambda: (step: number) => number
  readonly adaptive: AdaptiveDamping | undefined
  readonly momentum: (step: number) => number
  readonly search: LineSearch | undefined
  readonly lossAt: LossAt | undefined
}

/**
 * Exact Gauss-Newton: for a mean over b examples of losses of c outputs, J [b c, d] their Jacobian, r the derivative of each loss
 * in its outputs and Q its Hessian there (block diagonal), so that g = J^T r / b and J^T Q J / b is the Gauss-Newton matrix,
 *
 *     d = (J^T Q J / b + lambda I)^{-1} g = J^T (Q J J^T + b lambda I)^{-1} r
 *     m <- mu m + d
 *     D = alpha m,   alpha by Armijo's search from lr on, if asked for; where m is no direction of descent it is d
 *
 * The system is of order b c, not d: exact and cheap for small batches. Without Q (least squares) it is symmetric and solved by
 * Cholesky, otherwise by QR. With `adapt`, lambda follows the ratio of the reduction of the loss to that of its model.
 *
 * Couples all parameters of a group; those without a gradient stand still, and lambda with them. Where all gradients are 0
 * nothing is asked. State: 1 number an element, lambda. A step: (b c)^2 (d + b c / 3) flop.
 *
 * Source: Korbit, Adeoye, Bemporad and Zanon, Exact Gauss-Newton optimization for training deep neural networks,
 * arXiv 2405.14402.
 */
export function egn(options: EgnOptions): Rule<EgnState> {
  const owner = 'egn'
  const known = ['residualsAt', 'damping', 'adapt', 'momentum', 'lineSearch', 'lossAt', 'toleratedFailures']
  checkFields(owner, options, known)
  const { adapt, lineSearch: searching } = options
  const settings: Settings = {
    residualsAt: callback(owner, 'residualsAt', options.residualsAt),
    lambda: hyperparameter(owner, 'damping', options.damping ?? 1, { above: 0 }),
    adaptive: adapt === undefined ? undefined : dampingRule(owner, adapt, options.damping ?? 1),
    momentum: hyperparameter(owner, 'momentum', options.momentum ?? 0, { min: 0, below: 1 }),
    search: searching === undefined ? undefined : lineSearch(owner, { ...searching, kind: 'armijo' }),
    lossAt: callback(owner, 'lossAt', options.lossAt, adapt === undefined && searching === undefined),
  }
  const tolerated = numberIn(owner, 'toleratedFailures', options.toleratedFailures ?? 3, { min: 0, integer: true })
  return {
    name: owner,
    needsValues: true,
    init: (parameters, device) => createState(parameters, device, settings.lambda(1), tolerated),
    update: (gradients, state, context) => context.clock.time('apply', () => step(settings, state, gradients, context)),
    describe: ({ space }) =>
      groupPlan(owner, space, {
        flopsPerStep: 10 * space.size,
        matrix: { shape: [space.size], kernels: ['gram', 'spdSolve', 'matmul'], calls: 3 },
      }),
    slots: ({ space, momentum, damping, ledger }) => [
      ...space.slots('momentum', momentum),
      ...space.shared('damping', damping),
      ...space.parameters.slice(0, 1).map(({ name }) => arraySlot(`${name}/failures`, ledger.consecutive)),
    ],
    report: ({ ledger }) => [{ factor: 'Gauss-Newton', ...ledger.summary() }],
    dispose: ({ space }) => space.dispose(),
  }
}

function createState(
  parameters: readonly ParameterSpec[],
  device: Device,
  lambda: number,
  tolerated: number,
): EgnState {
  const space = new GroupSpace(parameters, device)
  const vector = () => space.vector()
  const { matrix, vectors } = space.rows(1)
  return {
    space,
    momentum: vector(),
    damping: new Float64Array([lambda]),
    ledger: new FailureLedger(['Gauss-Newton system'], tolerated),
    scratch: { gradient: vector(), values: vector(), direction: vector(), trial: vector() },
    row: { matrix, vector: vectors[0]! },
  }
}

function step(settings: Settings, state: EgnState, gradients: Gradients, context: RuleContext): Gradients {
  const { space, momentum, damping, ledger, scratch, row } = state
  const { gradient, direction } = scratch
  space.gather(gradients, gradient)
  if (space.dot(gradient, gradient) === 0) {
    space.clear(direction)
    return space.directions(direction, gradients)
  }
  const values = space.valuesOf('egn', context)
  const hosts = values.map(onHost)
  space.gather(values, scratch.values)
  const answer = answeredResiduals('egn', settings.residualsAt(hosts), hosts)
  const lambda = settings.adaptive === undefined ? settings.lambda(context.step) : damping[0]!
  using jacobian = stackedJacobian(space, answer, gradients)
  using solution = solveGaussNewton(jacobian, answer, lambda, ledger)
  if (solution === undefined) {
    raiseWhereExhausted('egn', [ledger])
    return gradients.map(() => null)
  }
  matmul(solution, jacobian, { transposeA: true, out: row.matrix })
  space.combine(settings.momentum(context.step), momentum, 1, row.vector, direction)
  space.gather(space.directions(direction, gradients), direction)
  if (space.dot(gradient, direction) <= 0) space.scale(1, row.vector, direction)
  const length = searched(settings, state, jacobian, answer, context, gradients)
  space.store(direction, momentum, gradients)
  if (length !== 1) space.scale(length, direction, direction)
  return space.directions(direction, gradients)
}

/** Finds the length of the step, and adapts the damping. */
function searched(
  { search, adaptive, lossAt }: Settings,
  { space, damping, scratch, row }: EgnState,
  jacobian: Tensor,
  answer: Residuals,
  { lr }: RuleContext,
  gradients: Gradients,
): number {
  const { gradient, values, direction, trial } = scratch
  if (lossAt === undefined || lr === 0) return 1
  let loss = Number.NaN
  const evaluate = (length: number) => {
    space.combine(1, values, -lr * length, direction, trial)
    const found = answeredLoss('egn', 'lossAt', lossAt(hostParts(trial)), length > 0)
    loss = Number.isFinite(found) ? found : Number.POSITIVE_INFINITY
    return { loss, slope: Number.NaN }
  }
  const slope = -lr * space.dot(gradient, direction)
  const start = evaluate(0).loss
  const length = search === undefined ? 1 : (search({ loss: start, slope }, evaluate) ?? 0)
  if (search === undefined) evaluate(1)
  if (adaptive !== undefined && gradients.every((entry) => entry !== null)) {
    space.scale(lr * length, direction, row.vector)
    const predicted = -length * slope - 0.5 * gaussNewtonForm(jacobian, answer, row.matrix)
    damping[0] = adaptive(damping[0]!, length === 0 ? 0 : (start - loss) / predicted)
  }
  return length
}
