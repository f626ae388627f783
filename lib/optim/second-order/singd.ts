import type { Device } from '../../device.js'
import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn, oneOf } from '../../schedule/validate.js'
import { countElements } from '../describe.js'
import { finiteOnly } from '../elementwise.js'
import { type HeavyBallState, heavyBall } from '../heavy-ball.js'
import type { ParameterSpec, Rule, RulePlan } from '../rule.js'
import { arraySlot } from '../slots.js'
import { TensorPool } from '../tensor-pool.js'
import { memberDirections, memberNames, type Side, stacksOf } from './matrix-stacks.js'
import { createInverse, type InverseFactors, precondition, updateInverse } from './singd-factors.js'
import { stackPlan } from './stack-plan.js'

/** Options of {@link singd}. */
export interface SingdOptions {
  /** Of the factors: `dense` (default) or `diagonal`. */
  readonly structure?: Side['kind']
  /** Longest side with a dense factor, >= 1; others are diagonal. Default 8192. */
  readonly maxSize?: number
  /** Step beta of the factors, 0 < beta <= 1. Default 0.01. */
  readonly factorLr?: Schedule
  /** Decay alpha1 of the factors' momentum, 0 <= alpha1 < 1. Default 0.5. */
  readonly factorMomentum?: Schedule
  /** lambda >= 0, added to the second moment. Default 0.001. */
  readonly damping?: Schedule
  /** A step changes a factor by at most this fraction (Frobenius norm of beta m), 0 < maxChange < 1. Default 0.5. */
  readonly maxChange?: Schedule
  /** Steps between updates of the factors, an integer >= 1. Default 1. */
  readonly every?: number
  /** Heavy ball over directions, 0 <= momentum < 1. Default 0.9. */
  readonly momentum?: Schedule
  /** Nesterov's look-ahead for it. Default false. */
  readonly nesterov?: boolean
}

/** State of {@link singd}. */
export interface SingdState {
  readonly device: Device
  readonly parameters: readonly ParameterSpec[]
  readonly pool: TensorPool
  readonly stacks: readonly InverseFactors[]
  readonly heavyBall: HeavyBallState | undefined
}

/**
 * Structured inverse-free natural gradient, from the gradients' own second moment (inverse-free, root-free Shampoo): factors C
 * and K with C C^T (x) K K^T about (E[g g^T] + lambda)^{-1}. For G of d_C x d_K and X = C^T G K,
 *
 *     m_C <- alpha1 m_C + (X X^T / d_K + lambda avgtr(K^T K) C^T C - I) / 2,     C <- C - beta C m_C
 *     m_K <- alpha1 m_K + (X^T X / d_C + lambda avgtr(C^T C) K^T K - I) / 2,     K <- K - beta K m_K
 *     D = C C^T G K K^T,                                                         avgtr(A) = tr(A) / order
 *
 * from C = K = I: products alone, no inverse, no root, no decomposition. Both sides look at the factors before the step; D at
 * those after it. Where |beta m| would exceed `maxChange`, beta is smaller: a spike of the gradient must not turn a factor
 * over. Diagonal factors keep the diagonals of m. Dimensions from the second on are one; vectors have one factor.
 *
 * A factor of a KFAC-like method takes activations and output gradients; this form needs neither. State: the factors and
 * their momenta, 2 (d_C^2 + d_K^2) numbers a matrix, with momentum one number an element. A step: three `kronApply` and, a
 * side, two `gram` and a matmul a shape.
 *
 * Source: Lin et al., arXiv 2312.05705 (SINGD); Lin et al., arXiv 2402.03496 (square-root-free Shampoo).
 */
export function singd(options: SingdOptions = {}): Rule<SingdState> {
  const owner = 'singd'
  const known = [
    'structure',
    'maxSize',
    'factorLr',
    'factorMomentum',
    'damping',
    'maxChange',
    'every',
    'momentum',
    'nesterov',
  ]
  checkFields(owner, options, known)
  const structure = oneOf(owner, 'structure', options.structure ?? 'dense', ['dense', 'diagonal'])
  const maxSize = numberIn(owner, 'maxSize', options.maxSize ?? 8192, { min: 1, integer: true })
  const rate = hyperparameter(owner, 'factorLr', options.factorLr ?? 0.01, { above: 0, max: 1 })
  const decay = hyperparameter(owner, 'factorMomentum', options.factorMomentum ?? 0.5, { min: 0, below: 1 })
  const damping = hyperparameter(owner, 'damping', options.damping ?? 0.001, { min: 0 })
  const maxChange = hyperparameter(owner, 'maxChange', options.maxChange ?? 0.5, { above: 0, below: 1 })
  const every = numberIn(owner, 'every', options.every ?? 1, { min: 1, integer: true })
  const ball = heavyBall(owner, options.momentum ?? 0.9, options.nesterov ?? false)
  return {
    name: owner,
    init: (parameters, device) => {
      const pool = new TensorPool(device)
      const stacks = stacksOf(parameters, (size) => (size <= maxSize ? structure : 'diagonal'))
      return {
        device,
        parameters,
        pool,
        stacks: stacks.map((stack) => createInverse(pool, stack)),
        heavyBall: ball?.init(parameters, device),
      }
    },
    update: (gradients, state, { step, clock }) => {
      const { device, stacks } = state
      const usable = finiteOnly(device, gradients)
      const settings = { rate: rate(step), decay: decay(step), damping: damping(step), maxChange: maxChange(step) }
      clock.time('statistics', () => {
        if ((step - 1) % every !== 0) return
        for (const factors of stacks) updateInverse(factors, usable, settings)
      })
      return clock.time('apply', () => {
        for (const factors of stacks) precondition(factors, usable)
        const directions = memberDirections(
          stacks.map(({ stack, output }) => [stack, output]),
          usable,
        )
        return state.heavyBall === undefined ? directions : ball!.update(directions, state.heavyBall, step)
      })
    },
    describe: (state) => describeSingd(owner, state),
    slots: ({ parameters, stacks, heavyBall: state }) => [
      ...stacks.flatMap(({ stack, factors }) =>
        memberNames(stack, parameters).flatMap((name, member) =>
          factors.flatMap(({ factor, momentum }, side) => [
            arraySlot(`${name}/factor${side}`, factor.parts[member]!),
            arraySlot(`${name}/factorMomentum${side}`, momentum.parts[member]!),
          ]),
        ),
      ),
      ...(state === undefined ? [] : ball!.slots(state)),
    ],
    report: () => [],
    dispose: ({ pool, heavyBall: state }) => {
      pool.dispose()
      if (state !== undefined) ball!.dispose(state)
    },
  }
}

function describeSingd(rule: string, { parameters, pool, stacks, heavyBall: state }: SingdState): RulePlan {
  const balls = state?.parameters.reduce((sum, { output }) => sum + (output === undefined ? 1 : 2), 0) ?? 0
  return stackPlan(parameters, stacks, {
    rule,
    bytes: pool.bytes + (balls > 0 ? (4 * countElements(parameters) * balls) / parameters.length : 0),
    kernels: (kind) => (kind === 'dense' ? 'kronApply, gram x 2, matmul' : 'matmul x 2'),
    // Three products with the stack and a Gram matrix; a Gram matrix and a product of the factor.
    flops: { element: 16, product: 7, cube: 3 },
    calls: { dense: 3, side: 3 },
  })
}
