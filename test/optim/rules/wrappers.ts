import type { RuleCase } from './rule-case.js'

export const WRAPPERS: readonly RuleCase[] = []
