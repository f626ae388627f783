import type { RuleCase } from './rule-case.js'

export const SECOND_ORDER: readonly RuleCase[] = []
