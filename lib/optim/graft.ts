import type { Schedule } from '../schedule/schedule.js'
import { oneOf } from '../schedule/validate.js'
import { adagrad } from './first-order/adagrad.js'
import { adamw } from './first-order/adamw.js'
import { rmsprop } from './first-order/rmsprop.js'
import { signsgd } from './first-order/signsgd.js'
import type { Rule } from './rule.js'

/**
 * Whose norms a preconditioned direction gets, and what moves the parameters before the start step:
 *
 *     'none'     its own norm; before the start step the averaged gradient
 *     'sgd'      the averaged gradient
 *     'adagrad'  adagrad({ beta1, epsilon: 1e-10 })
 *     'rmsprop'  rmsprop({ beta1, beta2: 0.99, epsilon: 1e-10 })
 *     'adam'     adamw({ beta1, beta2: 0.999, epsilon: 1e-10 })
 *     'sign'     signsgd()
 *     a rule     that rule, with its own options
 *
 * beta1 is that of the grafting rule. The numbers are Distributed Shampoo's.
 */
export type GraftOption = 'none' | 'sgd' | 'adagrad' | 'rmsprop' | 'adam' | 'sign' | Rule

/** A graft; without a rule the averaged gradient itself. */
export interface Graft {
  readonly rule: Rule | undefined
}

/** Epsilon of the named grafts: small, because a norm is taken and no element stands alone. */
const EPSILON = 1e-10

/** The graft that an option means, or undefined for none. */
export function graftMethod(owner: string, graft: GraftOption, beta1: Schedule): Graft | undefined {
  if (isRule(graft)) return { rule: graft }
  switch (oneOf(owner, 'graft', graft, ['none', 'sgd', 'adagrad', 'rmsprop', 'adam', 'sign'])) {
    case 'none':
      return undefined
    case 'sgd':
      return { rule: undefined }
    case 'adagrad':
      return { rule: adagrad({ beta1, epsilon: EPSILON }) }
    case 'rmsprop':
      return { rule: rmsprop({ beta1, beta2: 0.99, epsilon: EPSILON }) }
    case 'adam':
      return { rule: adamw({ beta1, beta2: 0.999, epsilon: EPSILON }) }
    case 'sign':
      return { rule: signsgd() }
  }
}

function isRule(graft: unknown): graft is Rule {
  return typeof graft === 'object' && graft !== null && typeof (graft as Rule).update === 'function'
}
