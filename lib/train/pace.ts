/** How fast a job of known length goes, and when it will end. */
export class Pace {
  readonly #total: number
  readonly #start: number
  readonly #clock: () => number
  #done = 0

  /** @param total steps of the whole job. */
  constructor(total: number, clock: () => number = () => performance.now()) {
    this.#total = total
    this.#clock = clock
    this.#start = clock()
  }

  advance(steps = 1): void {
    this.#done += steps
  }

  /** Wall-clock seconds until the end, if the rest goes as fast as what has been done. */
  secondsLeft(): number {
    if (this.#done === 0) return 0
    const elapsed = (this.#clock() - this.#start) / 1000
    return (elapsed / this.#done) * Math.max(0, this.#total - this.#done)
  }
}
