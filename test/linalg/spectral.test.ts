// eigh, inverseRoot and orthogonalize against answers known by hand.
import { expect, test } from 'vitest'
import { eigh, inverseRoot, orthogonalize, rootMethods } from '../../lib/index.js'
import { expectElements, onEveryDevice } from './devices.js'

onEveryDevice('eigh', ({ tensor, dtype }) => {
  // Eigenvalues 1 and 6, eigenvectors (-1, 2) and (2, 1), the component of largest magnitude positive.
  const a = tensor([5, 2, 2, 2], [1, 2, 2])
  const s = 1 / Math.sqrt(5)

  test('values ascending, vectors in columns with their sign fixed', () => {
    const { values, vectors, report } = eigh(a)
    expectElements(values, [1, 6], [1, 2])
    expectElements(vectors!, [-s, 2 * s, 2 * s, s], [1, 2, 2])
    expect(report.length).toBe(1)
    expect(report.status).toEqual(['ok'])
    expect(report.residual[0]).toBeLessThan(dtype === 'f32' ? 1e-6 : 1e-14)
    expect(report.condition[0]).toBeCloseTo(6, 4)
  })

  test('values only', () => {
    const { values, vectors, report } = eigh(a, { vectors: false })
    expectElements(values, [1, 6], [1, 2])
    expect(vectors).toBeUndefined()
    expect(report.residual[0]).toBeNaN()
  })

  test('a matrix without leading dimensions, and an empty one', () => {
    expectElements(eigh(tensor([4], [1, 1])).values, [4], [1])
    expectElements(eigh(tensor([], [0, 0])).values, [], [0])
  })

  test('NaN fails its own matrix only', () => {
    const { values, vectors, report } = eigh(tensor([5, 2, 2, 2, Number.NaN, 0, 0, 1, 5, 2, 2, 2], [3, 2, 2]))
    expect(report.status).toEqual(['ok', 'non_finite_input', 'ok'])
    expect(report.failed).toEqual([1])
    expect(report.ok).toBe(false)
    expectElements(values, [1, 6, Number.NaN, Number.NaN, 1, 6], [3, 2])
    expect([...vectors!.data().subarray(4, 8)]).toEqual([Number.NaN, Number.NaN, Number.NaN, Number.NaN])
  })

  test('async', async () => expectElements((await eigh.async(a)).values, [1, 6], [1, 2]))
})

onEveryDevice('inverseRoot', ({ tensor, dtype }) => {
  const diagonal = tensor([16, 0, 0, 81], [2, 2])

  test('p = 2 by default, other roots, rational and negative ones', () => {
    const ridge = 'none'
    expectElements(inverseRoot(diagonal, { ridge }).value, [1 / 4, 0, 0, 1 / 9], [2, 2])
    expectElements(inverseRoot(diagonal, { ridge, p: 4 }).value, [1 / 2, 0, 0, 1 / 3], [2, 2])
    expectElements(inverseRoot(diagonal, { ridge, p: 1 }).value, [1 / 16, 0, 0, 1 / 81], [2, 2])
    expectElements(inverseRoot(diagonal, { ridge, p: [4, 3] }).value, [1 / 8, 0, 0, 1 / 27], [2, 2])
    expectElements(inverseRoot(diagonal, { ridge, p: -2 }).value, [4, 0, 0, 9], [2, 2])
  })

  test.each(rootMethods)('%s answers what was asked of it', (method) => {
    // eigenvalues 1 and 4 with eigenvectors (1, -1), (1, 1): A^{-1/2} has 1 and 1/2.
    const a = tensor([2.5, 1.5, 1.5, 2.5], [2, 2])
    const { value, report } = inverseRoot(a, { p: 2, method, ridge: 'none', fullResidual: true })
    expect(report.status).toEqual(['ok'])
    expect(report.residual[0]).toBeLessThan(dtype === 'f32' ? 1e-5 : 1e-10)
    const [x, y] = value.data()
    expect(x).toBeCloseTo(0.75, 4)
    expect(y).toBeCloseTo(-0.25, 4)
  })

  test('ridges: (lambda + epsilon)^{-1/2}', () => {
    const a = tensor([3, 0, 0, 1], [2, 2])
    const roots = (low: number, high: number) => [1 / Math.sqrt(high), 0, 0, 1 / Math.sqrt(low)]
    expectElements(inverseRoot(a, { ridge: { absolute: 1 }, method: 'eigh' }).value, roots(2, 4), [2, 2])
    expectElements(inverseRoot(a, { ridge: { relative: 1 }, method: 'eigh' }).value, roots(4, 6), [2, 2])
    expectElements(inverseRoot(a, { ridge: { trace: 1 }, method: 'eigh' }).value, roots(3, 5), [2, 2])
    const singular = tensor([4, 0, 0, 0], [2, 2])
    const { value, report } = inverseRoot(singular, { ridge: { pseudoInverse: 0 } })
    expectElements(value, [1 / 2, 0, 0, 0], [2, 2])
    expect(report.status).toEqual(['rank_deficient'])
    expect(report.detail[0]).toBe(1)
    expect(report.ok).toBe(true)
  })

  test('in place', () => {
    const a = tensor([4, 0, 0, 25], [2, 2])
    expect(inverseRoot(a, { out: a, ridge: 'none' }).value).toBe(a)
    expectElements(a, [1 / 2, 0, 0, 1 / 5], [2, 2])
  })

  test('async', async () => {
    const { value, report } = await inverseRoot.async(diagonal, { ridge: 'none' })
    expectElements(value, [1 / 4, 0, 0, 1 / 9], [2, 2])
    expect(report.status).toEqual(['ok'])
  })
})

onEveryDevice('orthogonalize', ({ tensor }) => {
  test('the polar factor of a scaled rotation is the rotation', () => {
    const { value, report } = orthogonalize(tensor([3, -4, 4, 3], [2, 2]), { method: 'polar' })
    expectElements(value, [0.6, -0.8, 0.8, 0.6], [2, 2])
    expect(report.method).toEqual(['polar'])
  })

  test('one cubic step from A / |A|_F is 1.5 X - 0.5 X X^T X', () => {
    // X = diag(0.6, 0.8): 1.5 x - 0.5 x^3.
    const expected = [0.9 - 0.108, 0, 0, 1.2 - 0.256]
    const a = tensor([3, 0, 0, 4], [2, 2])
    expectElements(orthogonalize(a, { table: [[1.5, -0.5, 0]], steps: 1 }).value, expected, [2, 2])
  })

  test('triples repeat the last one', () => {
    const a = tensor([3, 0, 0, 4], [2, 2])
    const step = (x: number) => 1.5 * x - 0.5 * x ** 3
    const expected = [step(step(step(0.6))), 0, 0, step(step(step(0.8)))]
    expectElements(orthogonalize(a, { table: [[1.5, -0.5, 0]], steps: 3 }).value, expected, [2, 2])
  })

  test.each(['quintic', 'jiacheng', 'polar-express', 'cans', 'aol', 'deepseek', 'cubic', 'modula'] as const)(
    'table %s brings singular values towards 1, tall and wide',
    (table) => {
      const tall = orthogonalize(tensor([1, 2, -1, 1, 0.5, 3], [3, 2]), { table }).value.data()
      const wide = orthogonalize(tensor([1, -1, 0.5, 2, 1, 3], [2, 3]), { table }).value.data()
      for (const [x, length] of [
        [[tall[0]!, tall[2]!, tall[4]!], 1],
        [[wide[0]!, wide[1]!, wide[2]!], 1],
      ] as const) {
        const norm = Math.hypot(...x)
        expect(norm).toBeGreaterThan(0.6 * length)
        expect(norm).toBeLessThan(1.3 * length)
      }
    },
  )

  test('gram-newton-schulz gives what newton-schulz gives', () => {
    const a = tensor([1, 2, -1, 1, 0.5, 3, 1, 1], [2, 4])
    const one = orthogonalize(a, { method: 'newton-schulz' }).value.data()
    const other = orthogonalize(a, { method: 'gram-newton-schulz' }).value.data()
    one.forEach((element, i) => {
      expect(other[i]).toBeCloseTo(element, 3)
    })
  })

  test('a zero matrix answers 0, rank_deficient', () => {
    const { value, report } = orthogonalize(tensor([0, 0, 0, 0], [2, 2]))
    expectElements(value, [0, 0, 0, 0], [2, 2])
    expect(report.status).toEqual(['rank_deficient'])
    expect(report.detail[0]).toBe(0)
  })

  test('async', async () => {
    const { value } = await orthogonalize.async(tensor([3, -4, 4, 3], [2, 2]), { method: 'polar' })
    expectElements(value, [0.6, -0.8, 0.8, 0.6], [2, 2])
  })
})
