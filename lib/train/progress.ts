/** What the progress line shows; seconds are wall-clock. */
export interface ProgressState {
  /** For example "Shampoo, seed 1". */
  readonly label: string
  readonly step: number
  readonly steps: number
  readonly loss: number
  readonly samplesPerSecond: number
  /** Until the whole job ends, not only this run. */
  readonly secondsLeft: number
}

interface Output {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

const eraseLine = '\r\x1b[2K'

/**
 * The progress line. On a terminal one line is rewritten in place, at most ten times a second; elsewhere (a file, CI) a
 * plain line is written every `interval` milliseconds. Colour only on a terminal and where NO_COLOR is unset
 * (no-color.org).
 */
export class Progress {
  readonly #output: Output
  readonly #rewrites: boolean
  readonly #colours: boolean
  readonly #interval: number
  readonly #clock: () => number
  #shownAt = Number.NEGATIVE_INFINITY
  #open = false

  constructor(
    output: Output = process.stderr,
    options: { interval?: number; environment?: NodeJS.ProcessEnv; clock?: () => number } = {},
  ) {
    const environment = options.environment ?? process.env
    this.#output = output
    this.#rewrites = output.isTTY === true && environment.TERM !== 'dumb'
    this.#colours = this.#rewrites && !environment.NO_COLOR
    this.#interval = this.#rewrites ? 100 : (options.interval ?? 5000)
    this.#clock = options.clock ?? (() => performance.now())
  }

  /** Shows the state, unless the last line is younger than the interval. */
  show(state: ProgressState): void {
    const now = this.#clock()
    if (now - this.#shownAt < this.#interval) return
    this.#shownAt = now
    if (!this.#rewrites) {
      this.#output.write(`${progressLine(state)}\n`)
      return
    }
    // A line as wide as the terminal would wrap, and a wrapped line cannot be rewritten.
    const line = progressLine(state).slice(0, (this.#output.columns ?? 80) - 1)
    const dimmed = line.indexOf('  ')
    const coloured = this.#colours && dimmed > 0 ? `${line.slice(0, dimmed)}\x1b[2m${line.slice(dimmed)}\x1b[22m` : line
    this.#output.write(eraseLine + coloured)
    this.#open = true
  }

  /** Writes a line that stays. */
  note(text: string): void {
    this.clear()
    this.#output.write(`${text}\n`)
  }

  /** Removes the line, so that other output begins on an empty one. */
  clear(): void {
    if (this.#open) this.#output.write(eraseLine)
    this.#open = false
    this.#shownAt = Number.NEGATIVE_INFINITY
  }
}

export function progressLine(state: ProgressState): string {
  const width = String(state.steps).length
  return [
    state.label.padEnd(15),
    `step ${String(state.step).padStart(width)}/${state.steps}`,
    `loss ${state.loss.toFixed(2)}`,
    `${Math.round(state.samplesPerSecond).toLocaleString('en-US')} samples/s`,
    `${duration(state.secondsLeft)} left`,
  ].join('  ')
}

/** 75 -> "1:15". */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}
