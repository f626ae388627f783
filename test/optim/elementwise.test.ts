import { describe, expect, test } from 'vitest'
import {
  adaptive,
  addSquares,
  allFinite,
  average,
  averageSquares,
  combine,
  descend,
  scale,
} from '../../lib/optim/elementwise.js'
import { normal, normalArray } from './random.js'

const next = normal(17)
const a = normalArray(50, next)
const b = normalArray(50, next).map(Math.abs)
const rounded = (formula: (x: number, y: number) => number) => a.map((x, i) => Math.fround(formula(x, b[i]!)))

describe('elementwise updates: the formula in fp64, rounded once', () => {
  test.each<[string, (target: Float32Array) => void, (x: number, y: number) => number]>([
    ['average', (target) => average(target, b, 0.9), (x, y) => 0.9 * x + (1 - 0.9) * y],
    ['averageSquares', (target) => averageSquares(target, b, 0.99), (x, y) => 0.99 * x + (1 - 0.99) * (y * y)],
    ['addSquares', (target) => addSquares(target, b), (x, y) => x + y * y],
    ['combine', (target) => combine(target, 0.3, target, -0.7, b), (x, y) => 0.3 * x + -0.7 * y],
    ['scale', (target) => scale(target, 1 / 3, target), (x) => (1 / 3) * x],
    ['adaptive', (target) => adaptive(target, 2, target, 3, b, 1e-8), (x, y) => (2 * x) / (Math.sqrt(3 * y) + 1e-8)],
    ['descend', (target) => descend(target, 0.1, b, 0.01), (x, y) => x - 0.1 * y - 0.01 * x],
  ])('%s', (_, update, formula) => {
    const target = a.slice()
    update(target)
    expect(target).toEqual(rounded(formula))
  })
})

describe('allFinite', () => {
  const largest = 3.4028234663852886e38
  test.each<[number[], boolean]>([
    [[], true],
    [[0, -1, 2], true],
    [new Array(1000).fill(largest), true],
    [[1, Number.NaN, 1], false],
    [[Number.POSITIVE_INFINITY], false],
    [[Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], false],
  ])('%#', (values, expected) => expect(allFinite(Float32Array.from(values))).toBe(expected))
})
