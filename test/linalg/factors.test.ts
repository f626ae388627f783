// qr and svd against answers known by hand.
import { expect, test } from 'vitest'
import { qr, svd } from '../../lib/index.js'
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
