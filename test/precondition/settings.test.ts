import { describe, expect, test } from 'vitest'
import { checkExponents, exponentsOf } from '../../lib/precondition/exponents.js'
import { refreshTiming } from '../../lib/precondition/refresh.js'
import { ridgeAt } from '../../lib/precondition/ridge.js'

describe('exponentsOf', () => {
  test('1 / (2 order) for every dimension', () => {
    expect(exponentsOf(1)).toEqual([[1, 2]])
    expect(exponentsOf(2)).toEqual([
      [1, 4],
      [1, 4],
    ])
    expect(exponentsOf(3)).toEqual([
      [1, 6],
      [1, 6],
      [1, 6],
    ])
  })

  test('overrides by order and by dimension; 0 leaves a dimension alone', () => {
    expect(exponentsOf(2, { 2: 0.5 })).toEqual([
      [1, 2],
      [1, 2],
    ])
    expect(exponentsOf(2, { 2: [0.75, 0] })).toEqual([[3, 4], undefined])
    expect(exponentsOf(1, { 2: 0.5 })).toEqual([[1, 2]])
    expect(exponentsOf(3, { 3: 1 / 3 })[0]).toEqual([1, 3])
  })

  test.each([
    [{ 2: -0.5 }, 'got -0.5'],
    [{ 2: [0.5] }, 'got [0.5]'],
    [{ 2: Math.PI / 4 }, 'got 0.785'],
    [{ 0: 0.5 }, 'exponentOverride[0]'],
  ])('%j is refused', (override, message) => {
    expect(() => checkExponents('shampoo', override)).toThrow(message)
  })
})

describe('refreshTiming', () => {
  const due = (options: Parameters<typeof refreshTiming>[1], last = 12) => {
    const timing = refreshTiming('shampoo', options)
    return Array.from({ length: last }, (_, i) => i + 1).filter((step) => timing.isDue(step))
  }

  test('every step by default', () => expect(due({}, 4)).toEqual([1, 2, 3, 4]))
  test('start defaults to the period', () => expect(due({ every: 5 })).toEqual([5, 10]))
  test('start first, then every multiple of the period', () => expect(due({ every: 5, start: 3 })).toEqual([3, 5, 10]))
  test('a start behind the first multiples skips them', () =>
    expect(due({ every: 2, start: 7 })).toEqual([7, 8, 10, 12]))
  test('a period that grows', () => expect(due({ every: (step) => (step < 4 ? 1 : 4) })).toEqual([1, 2, 3, 4, 8, 12]))

  test('refuses', () => {
    expect(() => refreshTiming('shampoo', { every: 0 })).toThrow(
      'shampoo: refresh.every must be an integer >= 1, got 0',
    )
    expect(() => refreshTiming('shampoo', { every: 5, start: 0 })).toThrow(
      'refresh.start must be an integer >= 1, got 0',
    )
    expect(() => refreshTiming('shampoo', { each: 5 } as never)).toThrow("there is no option 'each'")
  })
})

describe('ridgeAt', () => {
  test('modes, and values that change over time', () => {
    expect(ridgeAt('shampoo', 'none')(1)).toBe('none')
    expect(ridgeAt('shampoo', { absolute: 1e-12 })(1)).toEqual({ absolute: 1e-12 })
    expect(ridgeAt('shampoo', { relative: (step) => 1 / step })(4)).toEqual({ relative: 0.25 })
  })

  test.each([
    [{}, "ridge must be 'none' or an object with one of"],
    [{ relative: 1, absolute: 1 }, "ridge must be 'none' or an object with one of"],
    [{ relative: -1 }, 'ridge.relative must be a finite number >= 0, got -1'],
    [{ lambda: 1 }, "there is no option 'lambda'"],
    ['some', "got 'some'"],
  ])('%j is refused', (ridge, message) => expect(() => ridgeAt('shampoo', ridge as never)).toThrow(message))
})
