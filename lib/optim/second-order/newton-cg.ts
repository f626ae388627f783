import { checkFields } from '../../errors.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn } from '../../schedule/validate.js'
import { callback, type HessianVector } from '../oracle.js'
import type { Rule } from '../rule.js'
import { groupPlan } from './group-plan.js'
import { GroupSpace, type GroupVector } from './group-space.js'
import { type HessianOperator, hessianOperator } from './hessian-operator.js'

/** Options of {@link newtonCg}. */
export interface NewtonCgOptions {
  /** Hessian, or a positive approximation such as Gauss-Newton, times vectors. */
  readonly hessianVector: HessianVector
  /** lambda >= 0, added to the Hessian. Default 0. */
  readonly damping?: Schedule
  /** Iterations, and so Hessian-vector products, of a step, >= 1. Default 20. */
  readonly iterations?: number
  /** Stop at |r| <= tolerance |g|, >= 0. Default `superlinear`: min(1/2, sqrt |g|). */
  readonly tolerance?: Schedule | 'superlinear'
}

/** State of {@link newtonCg}: nothing is kept from step to step. */
export interface NewtonCgState {
  readonly space: GroupSpace
  readonly gradient: GroupVector
  readonly solution: GroupVector
  readonly residual: GroupVector
  readonly conjugate: GroupVector
  readonly product: GroupVector
}

/**
 * Newton's method by truncated conjugate gradients: D solves (H + lambda I) D = g as far as
 *
 *     z <- z + a p,  r <- r - a A p,  a = r . r / p . A p,     p <- r + (r . r)_new / (r . r)_old p
 *
 * goes, from z = 0 and p = r = g: until |r| <= tolerance |g|, for at most `iterations`, or up to a direction of curvature
 * p . A p <= 0. Then z so far is the answer, in the first iteration g itself; both are directions of descent.
 *
 * Couples all parameters of a group; those without a gradient stand still, and the others see the block of the Hessian that
 * is theirs. State: none (5 numbers an element of scratch). A step: at most `iterations` products, each with 4 native calls.
 *
 * Source: Nocedal and Wright, Numerical Optimization, 2nd ed., algorithm 7.1; Martens, ICML 2010 (Hessian-free).
 */
export function newtonCg(options: NewtonCgOptions): Rule<NewtonCgState> {
  const owner = 'newtonCg'
  checkFields(owner, options, ['hessianVector', 'damping', 'iterations', 'tolerance'])
  const hessianVector = callback(owner, 'hessianVector', options.hessianVector)
  const damping = hyperparameter(owner, 'damping', options.damping ?? 0, { min: 0 })
  const iterations = numberIn(owner, 'iterations', options.iterations ?? 20, { min: 1, integer: true })
  const wanted = options.tolerance ?? 'superlinear'
  const tolerance = wanted === 'superlinear' ? undefined : hyperparameter(owner, 'tolerance', wanted, { min: 0 })
  return {
    name: owner,
    needsValues: true,
    init: (parameters, device) => {
      const space = new GroupSpace(parameters, device)
      const vector = () => space.vector()
      return {
        space,
        gradient: vector(),
        solution: vector(),
        residual: vector(),
        conjugate: vector(),
        product: vector(),
      }
    },
    update: (gradients, state, context) =>
      context.clock.time('apply', () => {
        const { space, gradient, solution } = state
        space.gather(gradients, gradient)
        const operator = hessianOperator(owner, space, hessianVector, gradients, context)
        const stop = (norm: number) => tolerance?.(context.step) ?? Math.min(0.5, Math.sqrt(norm))
        conjugateGradients(state, operator, damping(context.step), iterations, stop)
        return space.directions(solution, gradients)
      }),
    describe: ({ space }) => groupPlan(owner, space, { flopsPerStep: 12 * iterations * space.size }),
    slots: () => [],
    report: () => [],
    dispose: ({ space }) => space.dispose(),
  }
}

/** Leaves its answer in `solution`. */
function conjugateGradients(
  { space, gradient, solution, residual, conjugate, product }: NewtonCgState,
  operator: HessianOperator,
  damping: number,
  iterations: number,
  tolerance: (norm: number) => number,
): void {
  space.clear(solution)
  space.scale(1, gradient, residual)
  space.scale(1, gradient, conjugate)
  let rr = space.dot(gradient, gradient)
  const bound = tolerance(Math.sqrt(rr)) ** 2 * rr
  for (let iteration = 0; iteration < iterations && rr > bound; iteration++) {
    operator(conjugate, product)
    if (damping !== 0) space.combine(1, product, damping, conjugate, product)
    const curvature = space.dot(conjugate, product)
    if (!(curvature > 0)) {
      if (iteration === 0) space.scale(1, gradient, solution)
      return
    }
    const step = rr / curvature
    space.combine(1, solution, step, conjugate, solution)
    space.combine(1, residual, -step, product, residual)
    const before = rr
    rr = space.dot(residual, residual)
    space.combine(1, residual, rr / before, conjugate, conjugate)
  }
}
