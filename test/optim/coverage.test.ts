// Every rule and wrapper that kronroot/optim exports is in the conformance list.
import { expect, test } from 'vitest'
import * as optim from '../../lib/optim/index.js'
import * as schedule from '../../lib/schedule/index.js'
import { quadraticOracle } from './oracle.js'
import { RULES } from './rules/index.js'

/** Exports that are no rules. */
const OTHERS = new Set([
  ...Object.keys(schedule),
  'Optimizer',
  'PhaseClock',
  'WeightAverage',
  'groupsByRole',
  'hessianSpectrum',
  'suggestRates',
])

test('none is excluded', () => {
  const oracle = quadraticOracle()
  const tested = new Set(
    // lookahead(mars(muon)) tests three of them.
    RULES.flatMap(({ make }) => make(oracle).name.split(/[^A-Za-z0-9]+/)),
  )
  const rules = Object.entries(optim).flatMap(([name, value]) =>
    typeof value === 'function' && !OTHERS.has(name) ? [name] : [],
  )
  expect(rules.length).toBeGreaterThan(50)
  expect(rules.filter((name) => !tested.has(name))).toEqual([])
})
