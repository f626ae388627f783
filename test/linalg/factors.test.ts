// qr, svd, triangularSolve and normEstimate against answers known by hand.
import { expect, test } from 'vitest'
import { normEstimate, qr, svd, triangularSolve } from '../../lib/index.js'
import { expectElements, onEveryDevice } from './devices.js'

onEveryDevice('qr', ({ tensor, dtype }) => {
  test('Q and R with a diagonal >= 0', () => {
    const { q, r, report } = qr(tensor([0, -2, -3, 1], [2, 2]))
    expectElements(q!, [0, -1, -1, 0], [2, 2])
    expectElements(r, [3, -1, 0, 2], [2, 2])
    expect(report.method).toEqual(['householder'])
    expect(report.residual[0]).toBeLessThan(dtype === 'f32' ? 1e-6 : 1e-14)
  })

  test('the shapes of every mode', async () => {
    const a = tensor([3, 0, 4, 0, 0, 1], [3, 2])
    expect(qr(a).q!.shape).toEqual([3, 2])
    expect(qr(a, { mode: 'complete' }).q!.shape).toEqual([3, 3])
    expect(qr(a, { mode: 'complete' }).r.shape).toEqual([3, 2])
    const { q, r } = await qr.async(a, { mode: 'r' })
    expect(q).toBeUndefined()
    expectElements(r, [5, 0, 0, 1], [2, 2])
  })

  test('a batch with a failure', () => {
    const { r, report } = qr(tensor([2, 0, 0, 1, Infinity, 0, 0, 1], [2, 2, 2]))
    const nan = Number.NaN
    expect(report.status).toEqual(['ok', 'non_finite_input'])
    expectElements(r, [2, 0, 0, 1, nan, nan, nan, nan], [2, 2, 2])
  })
})

onEveryDevice('svd', ({ tensor }) => {
  test('descending values and vectors in columns', () => {
    const { s, u, v, report } = svd(tensor([0, -3, 2, 0], [2, 2]))
    expectElements(s, [3, 2], [2])
    expectElements(u!, [1, 0, 0, 1], [2, 2])
    expectElements(v!, [0, 1, -1, 0], [2, 2])
    expect(report.method).toEqual(['jacobi'])
    expect(report.condition[0]).toBeCloseTo(1.5)
  })

  test('values alone, of a batch of rectangles', async () => {
    const { s, u, v } = await svd.async(tensor([3, 4, 0, 0, 0, 2], [2, 1, 3]), { vectors: false })
    expectElements(s, [5, 2], [2, 1])
    expect([u, v]).toEqual([undefined, undefined])
  })
})

onEveryDevice('triangularSolve', ({ tensor }) => {
  const t = () => tensor([2, 99, 1, 4], [2, 2])
  const b = () => tensor([2, 4, 9, 6], [2, 2])

  test('the lower triangle, transposed, from the right, with a unit diagonal', () => {
    expectElements(triangularSolve(t(), b()).value, [1, 2, 2, 1], [2, 2])
    expectElements(triangularSolve(t(), b(), { transpose: true }).value, [-0.125, 1.25, 2.25, 1.5], [2, 2])
    expectElements(
      triangularSolve(t(), b(), { side: 'right', transpose: true, alpha: 2 }).value,
      [2, 1.5, 9, 0.75],
      [2, 2],
    )
    expectElements(
      triangularSolve(t(), b(), { upper: true, unitDiagonal: true }).value,
      [2 - 891, 4 - 594, 9, 6],
      [2, 2],
    )
  })

  test('in place, one triangle for a batch, asynchronous', async () => {
    const right = tensor([2, 9, 4, 6], [2, 2, 1])
    const { value, report } = await triangularSolve.async(t(), right, { out: right })
    expect(value).toBe(right)
    expect(report.status).toEqual(['ok', 'ok'])
    expectElements(value, [1, 2, 2, 1], [2, 2, 1])
  })

  test('a zero on the diagonal', () => {
    const { value, report } = triangularSolve(
      tensor([1, 0, 5, 0, 2, 0, 0, 2], [2, 2, 2]),
      tensor([1, 1, 4, 4], [2, 2, 1]),
    )
    expect(report.status).toEqual(['singular', 'ok'])
    expect(report.detail[0]).toBe(1)
    expectElements(value, [Number.NaN, Number.NaN, 2, 2], [2, 2, 1])
  })
})

onEveryDevice('normEstimate', ({ tensor }) => {
  test('every kind', () => {
    const a = tensor([3, 0, -4, 0, 0, 2], [3, 2])
    const of = (kind: 'spectral' | 'spectral-lower' | 'frobenius' | 'one' | 'infinity' | 'max') =>
      normEstimate(a, { kind }).value.data()[0]!
    expect(normEstimate(a).value.shape).toEqual([1])
    expect(of('spectral')).toBeGreaterThanOrEqual(5)
    expect(of('spectral')).toBeLessThan(5.126)
    expect(of('spectral-lower')).toBeCloseTo(5, 3)
    expect(of('frobenius')).toBeCloseTo(Math.sqrt(29), 6)
    expect([of('one'), of('infinity'), of('max')]).toEqual([7, 4, 4])
  })

  test('a batch into out, with a failure', async () => {
    const out = tensor([-1, -1], [2, 1])
    const a = tensor([1, 2, Infinity, 0], [2, 1, 2])
    const { value, report } = await normEstimate.async(a, { kind: 'max', out })
    expect(value).toBe(out)
    expect(report.status).toEqual(['ok', 'non_finite_input'])
    expectElements(out, [2, -1], [2, 1])
    const one = tensor([0], [1])
    expect(normEstimate(tensor([1, 2], [1, 2]), { kind: 'one', out: one }).value).toBe(one)
    expectElements(one, [2], [1])
  })
})
