// What failed matrices of a batch leave in the output, and what the report says of them.
import { describe, expect, test } from 'vitest'
import { cholesky, eigh, inverseRoot, open, orthogonalize, Report, SolveError, spdSolve } from '../../lib/index.js'
import { expectRefused } from '../refusal.js'
import { onEveryDevice } from './devices.js'

const nan = Number.NaN

onEveryDevice('onFailure', ({ tensor, device }) => {
  // The second of three is indefinite.
  const mixed = () => tensor([4, 0, 0, 4, 1, 0, 0, -1, 9, 0, 0, 9], [3, 2, 2])
  const factors = [2, 0, 0, 2, nan, nan, nan, nan, 3, 0, 0, 3]
  const stale = [7, 7, 7, 7]

  test('a fresh output holds NaN', () => {
    expect([...cholesky(mixed()).value.data()]).toEqual(factors)
  })

  test('out keeps what it held, and becomes NaN on request', () => {
    const out = tensor(Array(12).fill(7), [3, 2, 2])
    cholesky(mixed(), { out })
    expect([...out.data()]).toEqual([2, 0, 0, 2, ...stale, 3, 0, 0, 3])
    cholesky(mixed(), { out, onFailure: 'keep' })
    expect([...out.data()].slice(4, 8)).toEqual(stale)
    cholesky(mixed(), { out, onFailure: 'nan' })
    expect([...out.data()]).toEqual(factors)
  })

  test('in place, the failed matrix keeps its input', () => {
    const a = mixed()
    cholesky(a, { out: a })
    expect([...a.data()]).toEqual([2, 0, 0, 2, 1, 0, 0, -1, 3, 0, 0, 3])
  })

  test('throw raises SolveError with the report, and disposes the fresh output', () => {
    const a = mixed()
    const before = device.memory().tensors
    expectRefused(
      () => cholesky(a, { onFailure: 'throw' }),
      'ERR_NOT_CONVERGED',
      'cholesky: 1 of 3 matrices failed; matrix 1 is not_positive_definite',
    )
    expect(device.memory().tensors).toBeLessThanOrEqual(before)
    try {
      cholesky(a, { onFailure: 'throw' })
    } catch (error) {
      expect(error).toBeInstanceOf(SolveError)
      expect((error as SolveError).report.status).toEqual(['ok', 'not_positive_definite', 'ok'])
    }
  })

  test('throw with out keeps the stale content', () => {
    const out = tensor(Array(12).fill(7), [3, 2, 2])
    expectRefused(() => cholesky(mixed(), { out, onFailure: 'throw' }), 'ERR_NOT_CONVERGED')
    expect([...out.data()].slice(4, 8)).toEqual(stale)
  })

  test('throw is silent where nothing failed', () => {
    expect(cholesky(tensor([4], [1, 1]), { onFailure: 'throw' }).report.ok).toBe(true)
  })

  test('throw of an asynchronous call rejects', async () => {
    const error = await cholesky.async(mixed(), { onFailure: 'throw' }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(SolveError)
  })

  test('the asynchronous twin fills with NaN too', async () => {
    expect([...(await cholesky.async(mixed())).value.data()]).toEqual(factors)
  })

  test('all statuses that single matrices can have', () => {
    const status = (call: { report: Report }) => call.report.status[0]
    expect(status(eigh(tensor([1, 5, -5, 1], [2, 2])))).toBe('not_symmetric')
    expect(status(eigh(tensor([Infinity], [1, 1])))).toBe('non_finite_input')
    expect(status(inverseRoot(tensor([-1], [1, 1])))).toBe('not_positive_definite')
    expect(status(inverseRoot(tensor([0, 0, 0, 0], [2, 2])))).toBe('not_positive_definite')
    expect(status(inverseRoot(tensor([1, 2, 3, 1], [2, 2])))).toBe('not_symmetric')
    expect(status(orthogonalize(tensor([nan, 0, 0, 1], [2, 2])))).toBe('non_finite_input')
    expect(status(spdSolve(tensor([-4], [1, 1]), tensor([1], [1, 1])))).toBe('not_positive_definite')
  })
})

describe('Report', () => {
  test('decodes kr_report records', () => {
    const records = new ArrayBuffer(80)
    new Int32Array(records).set([0, 1, 7, 2, -1, 0], 0)
    new Float64Array(records).set([1e-7, 100], 3)
    new Int32Array(records).set([17, 4, 0, 3, 5, 0], 10)
    new Float64Array(records).set([nan, nan], 8)
    const report = new Report(new Int32Array(records))
    expect(report.length).toBe(2)
    expect(report.ok).toBe(false)
    expect(report.failed).toEqual([1])
    expect(report.status).toEqual(['ok', 'not_positive_definite'])
    expect(report.method).toEqual(['eigh', 'cholesky'])
    expect(report.iterations).toEqual(Int32Array.of(7, 0))
    expect(report.rung).toEqual(['eigh-f64', 'none'])
    expect(report.detail).toEqual(Int32Array.of(-1, 5))
    expect(report.residual).toEqual(Float64Array.of(1e-7, nan))
    expect(report.condition).toEqual(Float64Array.of(100, nan))
    expect(report.status).toBe(report.status)
  })

  test('of an empty batch', () => {
    const device = open('cpu')
    const { report } = eigh(device.empty([0, 3, 3]))
    expect(report.length).toBe(0)
    expect(report.ok).toBe(true)
    expect(report.status).toEqual([])
    device.dispose()
  })

  test('a code that this version does not know is ERR_INTERNAL', () => {
    const records = new ArrayBuffer(40)
    new Int32Array(records)[0] = 99
    expectRefused(() => new Report(new Int32Array(records)).status, 'ERR_INTERNAL')
  })
})
