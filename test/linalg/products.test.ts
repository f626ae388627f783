// matmul, gram and kronApply against products done by hand.
import { expect, test } from 'vitest'
import { gram, kronApply, matmul } from '../../lib/index.js'
import { expectElements, onEveryDevice } from './devices.js'

onEveryDevice('matmul', ({ tensor }) => {
  const a = tensor([1, 2, 3, 4, 5, 6], [2, 3])
  const b = tensor([1, 0, -1, 2, 1, 1], [3, 2])

  test('A B', () => expectElements(matmul(a, b), [2, 7, 5, 16], [2, 2]))

  test('A^T B^T', () => {
    expectElements(matmul(a, b, { transposeA: true, transposeB: true }), [1, 7, 5, 2, 8, 7, 3, 9, 9], [3, 3])
  })

  test('beta C + alpha A B in place', () => {
    const out = tensor([1, 1, 1, 1], [2, 2])
    expect(matmul(a, b, { alpha: 2, beta: -1, out })).toBe(out)
    expectElements(out, [3, 13, 9, 31], [2, 2])
  })

  test('beta 0 does not read out', () => {
    const out = tensor([Number.NaN, Number.NaN, Number.NaN, Number.NaN], [2, 2])
    expectElements(matmul(a, b, { out }), [2, 7, 5, 16], [2, 2])
  })

  test('one matrix serves the whole batch, on either side', () => {
    const batch = tensor([1, 0, 0, 1, 0, 1, 1, 0], [2, 1, 2, 2])
    expectElements(matmul(batch, tensor([1, 2, 3, 4], [2, 2])), [1, 2, 3, 4, 3, 4, 1, 2], [2, 1, 2, 2])
    expectElements(matmul(tensor([1, 2, 3, 4], [1, 2, 2]), batch), [1, 2, 3, 4, 2, 1, 4, 3], [2, 1, 2, 2])
  })

  test('empty products are zero, empty batches empty', () => {
    expectElements(matmul(tensor([], [2, 0]), tensor([], [0, 2])), [0, 0, 0, 0], [2, 2])
    expectElements(matmul(tensor([], [0, 2, 2]), tensor([1, 2, 3, 4], [2, 2])), [], [0, 2, 2])
  })

  test('async', async () => expectElements(await matmul.async(a, b), [2, 7, 5, 16], [2, 2]))
})

onEveryDevice('gram', ({ tensor }) => {
  const x = tensor([1, 2, 3, 4, 5, 6], [2, 3])

  test('X X^T and X^T X', () => {
    expectElements(gram(x), [14, 32, 32, 77], [2, 2])
    expectElements(gram(x, { side: 'right' }), [17, 22, 27, 22, 29, 36, 27, 36, 45], [3, 3])
  })

  test('a moving average in place', () => {
    const out = tensor([2, 4, 4, 8], [2, 2])
    gram(x, { alpha: 0.5, beta: 0.5, out })
    expectElements(out, [8, 18, 18, 42.5], [2, 2])
  })

  test('async', async () => expectElements(await gram.async(x), [14, 32, 32, 77], [2, 2]))
})

onEveryDevice('kronApply', ({ tensor }) => {
  const a = tensor([1, 2, 3, 4], [2, 2])
  const x = tensor([1, 0, 2, 0, 1, 1], [2, 3])
  const b = tensor([1, 0, 0, 0, 2, 0, 1, 0, 3], [3, 3])

  test('A X B, A X, X B, X', () => {
    expectElements(kronApply(a, x, null), [1, 2, 4, 3, 4, 10], [2, 3])
    expectElements(kronApply(null, x, b), [3, 0, 6, 1, 2, 3], [2, 3])
    expectElements(kronApply(a, x, b), [5, 4, 12, 13, 8, 30], [2, 3])
    expectElements(kronApply(null, x, null), [1, 0, 2, 0, 1, 1], [2, 3])
  })

  test('A^T X B^T into out', () => {
    const out = tensor([0, 0, 0, 0, 0, 0], [2, 3])
    expect(kronApply(a, x, b, { transposeA: true, transposeB: true, out })).toBe(out)
    expectElements(out, [1, 6, 16, 2, 8, 26], [2, 3])
  })

  test('factors of one matrix serve the batch', () => {
    const batch = tensor([1, 0, 0, 1, 0, 1, 1, 0], [2, 2, 2])
    expectElements(kronApply(a, batch, null), [1, 2, 3, 4, 2, 1, 4, 3], [2, 2, 2])
  })

  test('async', async () => expectElements(await kronApply.async(a, x, b), [5, 4, 12, 13, 8, 30], [2, 3]))
})
