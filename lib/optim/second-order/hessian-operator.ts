import { onHost } from '../../precondition/arrays.js'
import { answered, type HessianVector } from '../oracle.js'
import type { Gradients, RuleContext } from '../rule.js'
import { type GroupSpace, type GroupVector, hostParts } from './group-space.js'

/** into <- H x for a vector x that is 0 where there is no gradient, and so is H x then. */
export type HessianOperator = (x: GroupVector, into: GroupVector) => void

/** The Hessian of a step as an operator on the parameters that have a gradient. Its answers are checked. */
export function hessianOperator(
  owner: string,
  space: GroupSpace,
  hessianVector: HessianVector,
  gradients: Gradients,
  context: RuleContext,
): HessianOperator {
  const values = space.valuesOf(owner, context).map(onHost)
  return (x, into) => {
    const vectors = hostParts(x)
    const answer = answered(owner, 'hessianVector', hessianVector(vectors, values), vectors)
    space.gather(
      answer.map((array, index) => (gradients[index] ? array : null)),
      into,
    )
  }
}
