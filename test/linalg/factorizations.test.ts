// cholesky, spdInverse and spdSolve against answers known by hand.
import { expect, test } from 'vitest'
import { cholesky, spdInverse, spdSolve } from '../../lib/index.js'
import { expectElements, onEveryDevice } from './devices.js'

onEveryDevice('cholesky', ({ tensor, dtype }) => {
  test('L L^T, zeros above the diagonal, only the lower triangle read', () => {
    const { value, report } = cholesky(tensor([4, 99, 2, 10], [2, 2]))
    expectElements(value, [2, 0, 1, 3], [2, 2])
    expect(report.status).toEqual(['ok'])
    expect(report.method).toEqual(['cholesky'])
    expect(report.residual[0]).toBeLessThan(dtype === 'f32' ? 1e-6 : 1e-14)
  })

  test('with a ridge, in place', () => {
    const a = tensor([3, 0, 0, 8], [2, 2])
    expect(cholesky(a, { ridge: { absolute: 1 }, out: a }).value).toBe(a)
    expectElements(a, [2, 0, 0, 3], [2, 2])
  })

  test('the failing pivot is in detail, the neighbours are answered', () => {
    const { value, report } = cholesky(tensor([1, 0, 0, 1, 1, 2, 2, 1, 4, 0, 0, 9], [3, 2, 2]))
    expect(report.status).toEqual(['ok', 'not_positive_definite', 'ok'])
    expect(report.detail[1]).toBe(1)
    const nan = Number.NaN
    expectElements(value, [1, 0, 0, 1, nan, nan, nan, nan, 2, 0, 0, 3], [3, 2, 2])
  })

  test('async', async () => {
    expectElements((await cholesky.async(tensor([4, 2, 2, 10], [2, 2]))).value, [2, 0, 1, 3], [2, 2])
  })
})

onEveryDevice('spdInverse', ({ tensor }) => {
  test('the inverse, symmetric', () => {
    const { value, report } = spdInverse(tensor([2, 1, 1, 2], [2, 2]))
    expectElements(value, [2 / 3, -1 / 3, -1 / 3, 2 / 3], [2, 2])
    expect(report.ok).toBe(true)
  })

  test('with a ridge, in place', () => {
    const a = tensor([1, 0, 0, 3], [2, 2])
    spdInverse(a, { ridge: { absolute: 1 }, out: a })
    expectElements(a, [1 / 2, 0, 0, 1 / 4], [2, 2])
  })

  test('async', async () => {
    expectElements((await spdInverse.async(tensor([4], [1, 1]))).value, [0.25], [1, 1])
  })
})

onEveryDevice('spdSolve', ({ tensor }) => {
  const a = tensor([2, 1, 1, 2], [2, 2])

  test('A X = B', () => {
    const { value, report } = spdSolve(a, tensor([3, 0, 3, 3], [2, 2]))
    expectElements(value, [1, -1, 1, 2], [2, 2])
    expect(report.ok).toBe(true)
  })

  test('out may be b; one A serves the batch', () => {
    const b = tensor([3, 3, 6, 6], [2, 2, 1])
    expect(spdSolve(a, b, { out: b }).value).toBe(b)
    expectElements(b, [1, 1, 2, 2], [2, 2, 1])
  })

  test('one B serves a batch of A', () => {
    const batch = tensor([1, 0, 0, 1, 2, 0, 0, 4], [2, 2, 2])
    expectElements(spdSolve(batch, tensor([4, 8], [2, 1])).value, [4, 8, 2, 2], [2, 2, 1])
  })

  test('async', async () => {
    expectElements((await spdSolve.async(a, tensor([3, 3], [2, 1]))).value, [1, 1], [2, 1])
  })
})
