// The list of rules that every conformance test runs over. A new rule adds its cases to the list of its family.
import { FIRST_ORDER } from './first-order.js'
import { ORTHOGONAL } from './orthogonal.js'
import type { RuleCase } from './rule-case.js'
import { SECOND_ORDER } from './second-order.js'
import { SHAMPOO } from './shampoo.js'
import { WRAPPERS } from './wrappers.js'

export const RULES: readonly RuleCase[] = [...FIRST_ORDER, ...ORTHOGONAL, ...SHAMPOO, ...SECOND_ORDER, ...WRAPPERS]
