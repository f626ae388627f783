/** Parts of an optimizer step that are timed. */
export type Phase = 'statistics' | 'refresh' | 'apply'

/** Milliseconds a phase. */
export type PhaseTimes = Readonly<Record<Phase, number>>

/** Stop-watch of an optimizer: accumulates wall time a phase. */
export class PhaseClock {
  readonly #milliseconds: Record<Phase, number> = { statistics: 0, refresh: 0, apply: 0 }

  /** Runs `work` and adds its wall time to `phase`, also when it throws. Phases must not be nested. */
  time<T>(phase: Phase, work: () => T): T {
    const start = performance.now()
    try {
      return work()
    } finally {
      this.#milliseconds[phase] += performance.now() - start
    }
  }

  /** Milliseconds so far. */
  times(): PhaseTimes {
    return { ...this.#milliseconds }
  }
}
