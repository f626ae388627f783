import type { Report } from '../linalg/report.js'
import type { Tensor } from '../tensor.js'
import type { Factor } from './factors.js'

/** One solve of the statistics of neighbouring blocks, made where and when the caller wants it. */
export interface Solve {
  /** Within this call. */
  now(): Report
  /** Off the JavaScript thread; statistics and answers must not be touched until the promise settles. */
  later(): Promise<Report>
}

/** What is made of statistics: inverse roots, or eigenbases. */
export interface Solver {
  /** Whether statistics in f64 are rounded to f32 before they are solved: a basis in f32 is none in f64. Default false. */
  readonly isSingle?: boolean
  /**
   * @param statistics [n, d, d], corrected
   * @param solved [n, d, d], the previous answers, to be overwritten; failed matrices keep theirs
   */
  solve(factor: Factor, statistics: Tensor, solved: Tensor, step: number): Solve
  /** Which previous answers are still good enough; undefined where the solver finds that out by itself. */
  stillGood?(factor: Factor, statistics: Tensor, solved: Tensor, step: number): readonly boolean[]
  /** What a diagonal factor divides by: the elements of its statistics, corrected, become that. */
  divisors?(factor: Factor, statistics: Float32Array, step: number): Float32Array
}
