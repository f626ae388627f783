import { KronrootError } from '../errors.js'
import type { Report } from '../linalg/report.js'

/** What a ledger tells about the solves of one factor of one bucket. */
export interface SolveSummary {
  /** Solves so far, each of one or several matrices. */
  readonly refreshes: number
  /** Matrices whose root or basis was found to be still good, so far. */
  readonly kept: number
  /** Matrices that were not answered so far, over all solves. */
  readonly failures: number
  /** Largest number of consecutive failures of one matrix right now. */
  readonly consecutive: number
  /** How often each status was reported. */
  readonly statuses: Readonly<Record<string, number>>
  /** How often each rung of the recovery ladder answered. */
  readonly rungs: Readonly<Record<string, number>>
  /** Largest residual of an answered matrix at the last solve; NaN where nothing was measured. */
  readonly residualMax: number
}

/** Method of a matrix whose eigenbasis was kept, as `eigh` reports it. */
const KEPT = 'kept-basis'

/**
 * Counts the failures of a batch of matrices that is solved again and again. A failed matrix keeps its previous answer,
 * which is legal for a while: preconditioners are stale between refreshes anyway. Failures are tolerated up to a number
 * in a row; a success sets the count of that matrix back to 0.
 *
 * Source: Distributed Shampoo's `num_tolerated_failed_amortized_computations` (arXiv 2309.06497, section 3.5).
 */
export class FailureLedger {
  /** Consecutive failures of every matrix; part of the state of a rule. */
  readonly consecutive: Int32Array
  readonly #labels: readonly string[]
  readonly #tolerated: number
  readonly #lastStatus: string[]
  #refreshes = 0
  #kept = 0
  #failures = 0
  #residualMax = Number.NaN
  readonly #statuses: Record<string, number> = {}
  readonly #rungs: Record<string, number> = {}

  /** @param labels what error messages call each matrix; @param tolerated consecutive failures without an error. */
  constructor(labels: readonly string[], tolerated: number) {
    this.consecutive = new Int32Array(labels.length)
    this.#labels = labels
    this.#tolerated = tolerated
    this.#lastStatus = labels.map(() => 'ok')
  }

  /** Notes that a matrix needed no solve. */
  keep(matrix: number): void {
    this.#kept++
    this.consecutive[matrix] = 0
  }

  /**
   * Takes the report of one solve, of all matrices or of neighbours from `first` on. Matrices for which `counts` is false are
   * ignored: a factor that has seen no gradient yet is the zero matrix, has no root, and is no failure.
   *
   * @returns which matrices failed.
   */
  record(report: Report, counts: (matrix: number) => boolean = () => true, first = 0): readonly number[] {
    const failed: number[] = []
    this.#refreshes++
    this.#residualMax = Number.NaN
    report.status.forEach((status, index) => {
      const matrix = first + index
      if (!counts(matrix)) return
      this.#lastStatus[matrix] = status
      increment(this.#statuses, status)
      if (status === 'ok' || status === 'rank_deficient') {
        this.consecutive[matrix] = 0
        if (report.method?.[index] === KEPT) this.#kept++
        increment(this.#rungs, String(report.rung[index]))
        this.#residualMax = largest(this.#residualMax, report.residual[index]!)
      } else {
        this.consecutive[matrix]!++
        this.#failures++
        failed.push(matrix)
      }
    })
    return failed
  }

  /** One line for every matrix that failed more often in a row than is tolerated. */
  exhausted(): readonly string[] {
    return this.#labels
      .map(
        (label, matrix) => `${label}: ${this.consecutive[matrix]} failures in a row, last ${this.#lastStatus[matrix]}`,
      )
      .filter((_, matrix) => this.consecutive[matrix]! > this.#tolerated)
  }

  summary(): SolveSummary {
    return {
      refreshes: this.#refreshes,
      kept: this.#kept,
      failures: this.#failures,
      consecutive: this.consecutive.reduce((most, count) => Math.max(most, count), 0),
      statuses: { ...this.#statuses },
      rungs: { ...this.#rungs },
      residualMax: this.#residualMax,
    }
  }
}

/** Throws ERR_NOT_CONVERGED, naming every matrix beyond its tolerance, where a ledger has one. */
export function raiseWhereExhausted(owner: string, ledgers: readonly FailureLedger[]): void {
  const lines = ledgers.flatMap((ledger) => ledger.exhausted())
  if (lines.length === 0) return
  throw new KronrootError(
    'ERR_NOT_CONVERGED',
    `${owner}: ${lines.join('; ')}. Lower the learning rate, raise the ridge, or start preconditioning later`,
  )
}

function increment(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1
}

/** Largest of two numbers, NaN standing for "nothing measured". */
function largest(a: number, b: number): number {
  if (Number.isNaN(a)) return b
  return Number.isNaN(b) ? a : Math.max(a, b)
}
