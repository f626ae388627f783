// Directions of single parameters, against numbers worked out by hand.
import { afterAll, beforeAll, expect } from 'vitest'
import { type Device, open } from '../../../lib/device.js'
import type { Rule } from '../../../lib/optim/index.js'
import { runRule } from '../run-rule.js'

let device: Device
beforeAll(() => {
  device = open('cpu')
})
afterAll(() => device.dispose())

/** Directions of one parameter, step by step. */
export function directions(
  rule: Rule,
  shape: readonly number[],
  gradients: readonly (readonly number[])[],
): readonly (readonly number[])[] {
  const lists = gradients.map((gradient) => [Float32Array.from(gradient)])
  return runRule(device, rule, [shape], lists).map(([direction]) => direction!)
}

export function expectClose(
  actual: readonly (readonly number[])[],
  expected: readonly (readonly number[])[],
  tolerance = 1e-6,
): void {
  expect(actual.map((list) => list.length)).toEqual(expected.map((list) => list.length))
  actual.flat().forEach((value, index) => {
    expect(Math.abs(value - expected.flat()[index]!), `${actual} against ${expected}`).toBeLessThan(tolerance)
  })
}
