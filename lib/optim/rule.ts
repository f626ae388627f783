import type { Device } from '../device.js'
import type { ParameterArray } from '../precondition/arrays.js'
import type { ParameterSpec } from '../precondition/plan.js'
import type { SolveSummary } from '../precondition/recovery.js'
import type { PhaseClock } from './clock.js'
import type { Slot } from './slots.js'

export type { ParameterArray } from '../precondition/arrays.js'
export type { ParameterSpec } from '../precondition/plan.js'

/** One array a parameter, row-major fp32; null where a parameter has no gradient in this step. */
export type Gradients = readonly (ParameterArray | null)[]

/** What a rule is told at a step. */
export interface RuleContext {
  /** Counted from 1. */
  readonly step: number
  /** Learning rate of this step. */
  readonly lr: number
  /** What the driver takes off the parameters besides, times their values: W <- W - lr D - shrinkage W. Default 0. */
  readonly shrinkage?: number
  /** Rate of the term l2 W that the gradients hold already, for rules that ask for gradients elsewhere. Default 0. */
  readonly l2?: number
  /** Values of the parameters before the step, for rules that look at them. Not to be changed. */
  readonly parameters?: readonly ParameterArray[]
  /**
   * Gradients whose outer products make the factor statistics of this step, in place of the gradient: of examples or of
   * micro-batches, each a list in the order of the parameters. Their mean weighs as much as one gradient does.
   */
  readonly examples?: readonly Gradients[]
  readonly clock: PhaseClock
}

/** Blocks of one shape and what a step does with them. */
export interface BucketPlan {
  readonly shape: readonly number[]
  readonly blocks: number
  /** Native operations, in order, as in `gram x 2`. */
  readonly kernels: readonly string[]
}

/** What a rule holds and does for its parameters: counts, not measurements. */
export interface RulePlan {
  readonly rule: string
  readonly parameters: number
  readonly elements: number
  readonly buckets: readonly BucketPlan[]
  /** Bytes of state, of gradients and directions in flight, native and JavaScript together. */
  readonly bytes: number
  /** Floating-point operations of a step without refresh. */
  readonly flopsPerStep: number
  /** Floating-point operations that a refresh adds (estimated: the root solver chooses its method). */
  readonly flopsPerRefresh: number
  /** Calls on stacks of matrices. Elementwise work takes a few more, as many for one parameter as for a thousand. */
  readonly nativeCallsPerStep: number
  readonly nativeCallsPerRefresh: number
}

/** How the solves of one factor, or of one orthogonalization, have gone. */
export interface SolveReport extends SolveSummary {
  /** For example `128x64 dimension 0`. */
  readonly factor: string
  /** The earliest step whose statistics are behind a root or basis in use, 0 where one has none yet; steps - oldest is stale. */
  readonly oldest?: number
  /** Matrices that are being solved off the JavaScript thread. */
  readonly pending?: number
}

/**
 * A pure transformation of gradients with explicit state. A rule object holds options only and may serve any number of
 * groups; everything that changes is in the state that `init` makes and the other methods are given.
 *
 * A rule returns directions D; whoever drives it applies  W <- W - lr (D + wd W).
 */
export interface Rule<State = unknown> {
  readonly name: string
  /** Whether `update` needs the values of the parameters. Default false. */
  readonly needsValues?: boolean
  /** State for the parameters of one group. Throws ERR_SHAPE where the rule does not take a shape. */
  init(parameters: readonly ParameterSpec[], device: Device): State
  /**
   * Directions for the gradients, null for null. A parameter without a gradient keeps its state to the bit. Returned
   * arrays may be the gradients or buffers of the state: they are read-only and valid until the next call.
   */
  update(gradients: Gradients, state: State, context: RuleContext): Gradients
  describe(state: State): RulePlan
  /** Everything that must be saved for a bit-exact continuation. */
  slots(state: State): readonly Slot[]
  /** Health of the solves so far; rules that solve nothing return []. */
  report(state: State): readonly SolveReport[]
  /**
   * For rules whose averages or extrapolations are to be evaluated instead of the parameters: those values, null where the
   * parameter's own are meant. Returned arrays are read-only and valid until the next call.
   */
  evaluation?(state: State, values: readonly ParameterArray[]): readonly (ParameterArray | null)[]
  /** Resolves when what is solved off the JavaScript thread is there; the next update takes it. */
  settled?(state: State): Promise<void>
  /** Frees native memory. */
  dispose(state: State): void
}
