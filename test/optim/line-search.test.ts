import { describe, expect, test } from 'vitest'
import { type LineSearchOptions, lineSearch } from '../../lib/optim/second-order/line-search.js'

/** Runs a search on phi and returns the step with the points that were asked for. */
function searched(options: LineSearchOptions, phi: (a: number) => number, slope: (a: number) => number) {
  const asked: number[] = []
  const step = lineSearch('test', options)({ loss: phi(0), slope: slope(0) }, (a) => {
    asked.push(a)
    return { loss: phi(a), slope: slope(a) }
  })
  return { step, asked }
}

describe('armijo', () => {
  test('halves until the decrease suffices', () => {
    // phi = (a - 0.3)^2: phi(1) and phi(1/2) against phi(0) + c1 a phi'(0).
    const { step, asked } = searched(
      { kind: 'armijo', decrease: 0.1 },
      (a) => (a - 0.3) ** 2,
      (a) => 2 * (a - 0.3),
    )
    expect(asked).toEqual([1, 0.5])
    expect(step).toBe(0.5)
  })

  test('gives up after the trials', () => {
    const { step, asked } = searched(
      { kind: 'armijo', trials: 3, shrink: 0.1 },
      (a) => a,
      () => -1,
    )
    expect(step).toBeUndefined()
    expect(asked.map((a) => Math.round(1000 * a))).toEqual([1000, 100, 10])
  })
})

describe('strong Wolfe', () => {
  test.each([0.2, 3])('the second trial on a quadratic is its minimum, at %d', (minimum) => {
    const { step, asked } = searched(
      { kind: 'wolfe', curvature: 1e-3 },
      (a) => (a - minimum) ** 2,
      (a) => 2 * (a - minimum),
    )
    expect(asked.length).toBe(2)
    expect(step).toBeCloseTo(minimum, 9)
  })

  test.each([
    ['a quartic', (a: number) => (a - 2) ** 4 - a, (a: number) => 4 * (a - 2) ** 3 - 1],
    ['a far minimum', (a: number) => Math.cosh(a / 50 - 1), (a: number) => Math.sinh(a / 50 - 1) / 50],
    // Moré and Thuente's first function, beta = 2.
    ['a rational function', (a: number) => -a / (a * a + 2), (a: number) => (a * a - 2) / (a * a + 2) ** 2],
  ])('both conditions hold on %s', (_, phi, slope) => {
    const { step } = searched({ kind: 'wolfe', curvature: 0.1 }, phi, slope)
    expect(phi(step!)).toBeLessThanOrEqual(phi(0) + 1e-4 * step! * slope(0))
    expect(Math.abs(slope(step!))).toBeLessThanOrEqual(-0.1 * slope(0))
  })

  test('a loss that is infinite beyond a wall only shortens the step', () => {
    const { step } = searched(
      { kind: 'wolfe', curvature: 0.1 },
      (a) => (a < 0.1 ? -Math.log(0.1 - a) - 20 * a : Number.POSITIVE_INFINITY),
      (a) => (a < 0.1 ? 1 / (0.1 - a) - 20 : Number.NaN),
    )
    expect(Math.abs(step! - 0.05)).toBeLessThan(0.01)
  })

  test('a kink: the decrease alone', () => {
    const { step } = searched(
      { kind: 'wolfe', curvature: 0.1 },
      (a) => Math.abs(a - 0.7),
      (a) => Math.sign(a - 0.7),
    )
    expect(Math.abs(step! - 0.7)).toBeLessThan(0.05)
  })
})

test.each([
  [{ kind: 'newton' }, 'lineSearch.kind'],
  [{ kind: 'armijo', curvature: 0.5 }, 'lineSearch.curvature'],
  [{ kind: 'wolfe', shrink: 0.5 }, 'lineSearch.shrink'],
  [{ kind: 'wolfe', decrease: 0.5, curvature: 0.4 }, 'lineSearch.curvature'],
  [{ kind: 'armijo', trials: 0 }, 'lineSearch.trials'],
])('%o is refused', (options, field) => {
  expect(() => lineSearch('test', options as LineSearchOptions)).toThrow(
    expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringContaining(field) }),
  )
})
