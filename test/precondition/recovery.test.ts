// S3: the failure-tolerance state machine, on scripted reports.
import { describe, expect, test } from 'vitest'
import type { Report, Status } from '../../lib/linalg/report.js'
import { FailureLedger, raiseWhereExhausted } from '../../lib/precondition/recovery.js'

function report(...status: Status[]): Report {
  const residual = Float64Array.from(status, (_, index) => (index + 1) / 100)
  return { status, residual, rung: status.map(() => 'chosen') } as unknown as Report
}

describe('FailureLedger', () => {
  test('three failures in a row are tolerated, the fourth is not, and a success starts again', () => {
    const ledger = new FailureLedger(['w'], 3)
    const fail = () => ledger.record(report('not_converged'))
    for (let i = 1; i <= 3; i++) {
      expect(fail()).toEqual([0])
      expect(ledger.consecutive[0]).toBe(i)
      expect(ledger.exhausted()).toEqual([])
    }
    expect(ledger.record(report('ok'))).toEqual([])
    expect(ledger.consecutive[0]).toBe(0)
    for (let i = 1; i <= 3; i++) fail()
    expect(() => raiseWhereExhausted('shampoo', [ledger])).not.toThrow()
    fail()
    expect(() => raiseWhereExhausted('shampoo', [ledger])).toThrow(
      expect.objectContaining({
        code: 'ERR_NOT_CONVERGED',
        message: expect.stringContaining('shampoo: w: 4 failures in a row, last not_converged'),
      }),
    )
  })

  test('matrices are counted on their own; rank_deficient is an answer', () => {
    const ledger = new FailureLedger(['a', 'b', 'c'], 0)
    expect(ledger.record(report('ok', 'not_positive_definite', 'rank_deficient'))).toEqual([1])
    expect([...ledger.consecutive]).toEqual([0, 1, 0])
    expect(ledger.exhausted()).toEqual(['b: 1 failures in a row, last not_positive_definite'])
  })

  test('matrices that do not count are neither failures nor answers', () => {
    const ledger = new FailureLedger(['a', 'b'], 0)
    expect(ledger.record(report('not_positive_definite', 'ok'), (matrix) => matrix === 1)).toEqual([])
    expect(ledger.summary()).toEqual({
      refreshes: 1,
      kept: 0,
      failures: 0,
      consecutive: 0,
      statuses: { ok: 1 },
      rungs: { chosen: 1 },
      residualMax: 0.02,
    })
  })

  test('the largest residual is that of the last solve, failures left out', () => {
    const ledger = new FailureLedger(['a', 'b', 'c'], 9)
    expect(ledger.summary().residualMax).toBeNaN()
    ledger.record(report('ok', 'ok', 'not_converged'))
    expect(ledger.summary().residualMax).toBe(0.02)
    ledger.record(report('ok', 'overflow', 'overflow'))
    expect(ledger.summary()).toMatchObject({ residualMax: 0.01, failures: 3, consecutive: 2 })
  })
})
