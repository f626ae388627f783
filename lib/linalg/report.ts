import { KronrootError } from '../errors.js'
import { addon, translated, type UnreadReports } from '../native/addon.js'

/** Outcome for one matrix. All but `'ok'` and `'rank_deficient'` are failures. */
export type Status =
  | 'ok'
  /** Answered, but directions were dropped or stand on the ridge alone; `detail` is the rank kept. */
  | 'rank_deficient'
  /** The measured residual stayed above the bound on every rung of the ladder. */
  | 'not_converged'
  /** An eigenvalue or pivot (its index in `detail`) is negative beyond rounding. */
  | 'not_positive_definite'
  /** A triangular matrix has a zero on its diagonal, its index in `detail`. */
  | 'singular'
  | 'non_finite_input'
  /** max |a_ij - a_ji| > sqrt(ulp) max |a_ij|. */
  | 'not_symmetric'
  /** The exact result is not finite in the element type. */
  | 'overflow'
  | 'cancelled'

/** The algorithm that answered. */
export type Method =
  | 'auto'
  | 'eigh'
  | 'minimax'
  | 'coupled-newton'
  | 'cholesky'
  | 'newton-schulz'
  | 'gram-newton-schulz'
  | 'polar'
  | 'direct'
  | 'ql'
  | 'higher-order'
  | 'newton-db'
  | 'cans'
  | 'chebyshev'
  | 'rational'
  | 'kept-basis'
  | 'orthogonal-iteration'
  | 'partial-fractions'
  | 'householder'
  | 'jacobi'

/** Step of the recovery ladder that answered; `'none'`: no step did. */
export type Rung = 'chosen' | 'eigh' | 'eigh-f64' | 'none'

// The enums of native/include/kronroot/types.h, by value.
const firstFailure = 16
const statuses: Readonly<Record<number, Status>> = {
  0: 'ok',
  1: 'rank_deficient',
  [firstFailure]: 'not_converged',
  17: 'not_positive_definite',
  18: 'non_finite_input',
  19: 'not_symmetric',
  20: 'overflow',
  21: 'cancelled',
  22: 'singular',
}
const methods: readonly Method[] = [
  'auto',
  'eigh',
  'minimax',
  'coupled-newton',
  'cholesky',
  'newton-schulz',
  'gram-newton-schulz',
  'polar',
  'direct',
  'ql',
  'higher-order',
  'newton-db',
  'cans',
  'chebyshev',
  'rational',
  'kept-basis',
  'orthogonal-iteration',
  'partial-fractions',
  'householder',
  'jacobi',
]
const rungs: readonly Rung[] = ['chosen', 'eigh', 'eigh-f64', 'none']

// Layout of kr_report: five int32 and one reserved, then residual and condition as doubles.
const recordBytes = 40
const recordWords = recordBytes / Int32Array.BYTES_PER_ELEMENT
const at = { status: 0, method: 4, iterations: 8, rung: 12, detail: 16, residual: 24, condition: 32 } as const

/**
 * What is said of each matrix of a batch; entry i belongs to matrix i, the leading dimensions counted row-major. Columns
 * are decoded when they are first read.
 *
 * After a synchronous call on a `cuda` device the report lies in the device's memory. The first read of any column waits for
 * the call and fetches it, once; it can throw what the call's work on the device threw (ERR_DEVICE_LOST), or ERR_DISPOSED
 * when the device was disposed before.
 */
export class Report {
  readonly length: number
  #words: Int32Array<ArrayBuffer> | UnreadReports
  readonly #columns: Record<string, unknown> = {}

  /** @param words kr_report records, all of their buffer; or where they lie */
  constructor(words: Int32Array<ArrayBuffer> | UnreadReports) {
    this.#words = words
    this.length = words instanceof Int32Array ? words.length / recordWords : words.count
  }

  /** Whether no matrix failed. */
  get ok(): boolean {
    return this.failed.length === 0
  }

  /** Indices of the matrices that failed, ascending. */
  get failed(): readonly number[] {
    return this.#column('failed', () => {
      const codes = this.#integers(at.status)
      return [...codes.keys()].filter((i) => codes[i]! >= firstFailure)
    })
  }

  get status(): readonly Status[] {
    return this.#column('status', () => this.#names(at.status, statuses))
  }

  /** The algorithm that answered. */
  get method(): readonly Method[] {
    return this.#column('method', () => this.#names(at.method, methods))
  }

  /** Iterations or sweeps of that method. */
  get iterations(): Int32Array {
    return this.#column('iterations', () => this.#integers(at.iterations))
  }

  /** Step of the recovery ladder that answered. */
  get rung(): readonly Rung[] {
    return this.#column('rung', () => this.#names(at.rung, rungs))
  }

  /** Rank kept, index of the failing pivot, or -1. */
  get detail(): Int32Array {
    return this.#column('detail', () => this.#integers(at.detail))
  }

  /** Residual measured from input and output, as the op's documentation states; NaN where nothing was measured. */
  get residual(): Float64Array {
    return this.#column('residual', () => this.#doubles(at.residual))
  }

  /** Estimate of lambda_max / lambda_min after the ridge; NaN where none is at hand. */
  get condition(): Float64Array {
    return this.#column('condition', () => this.#doubles(at.condition))
  }

  #fetched(): Int32Array<ArrayBuffer> {
    if (this.#words instanceof Int32Array) return this.#words
    try {
      this.#words = new Int32Array(addon().readReports(this.#words))
    } catch (error) {
      throw translated(error)
    }
    return this.#words
  }

  #integers(offset: number): Int32Array {
    const all = this.#fetched()
    return new Int32Array(this.length).map((_, i) => all[(i * recordBytes + offset) / all.BYTES_PER_ELEMENT]!)
  }

  #doubles(offset: number): Float64Array {
    const all = new Float64Array(this.#fetched().buffer)
    return new Float64Array(this.length).map((_, i) => all[(i * recordBytes + offset) / all.BYTES_PER_ELEMENT]!)
  }

  #names<N extends string>(offset: number, table: Readonly<Record<number, N>>): readonly N[] {
    return Array.from(this.#integers(offset), (code) => {
      const name = table[code]
      if (name === undefined) throw new KronrootError('ERR_INTERNAL', `report: unknown code ${code}`)
      return name
    })
  }

  #column<T>(name: string, decode: () => T): T {
    this.#columns[name] ??= decode()
    return this.#columns[name] as T
  }
}

/** Raised under `onFailure: 'throw'`: code ERR_NOT_CONVERGED, with the report of the whole batch. */
export class SolveError extends KronrootError {
  readonly report: Report

  constructor(op: string, report: Report) {
    const { failed, length, status } = report
    const first = failed[0]!
    const which = `matrix ${first} is ${status[first]}`
    super('ERR_NOT_CONVERGED', `${op}: ${failed.length} of ${length} matrices failed; ${which}`)
    this.report = report
  }
}
