import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import type { Trial } from './trial.js'

/**
 * Finished runs, one line of JSON each, so that a study that was cut off goes on where it was: a run is looked up by everything
 * that decides it, the machine included. Without a file nothing is kept.
 */
export class Journal {
  readonly #file: string | undefined
  readonly #runs = new Map<string, Trial>()

  constructor(file: string | undefined) {
    this.#file = file
    if (file === undefined) return
    if (!existsSync(file)) {
      appendFileSync(file, '')
      return
    }
    for (const line of readFileSync(file, 'utf8').split('\n')) this.#read(line)
  }

  /** The run of this key: the recorded one, or a new one, which is recorded. */
  async run(key: object, work: () => Promise<Trial>): Promise<Trial> {
    const name = JSON.stringify(key)
    const known = this.#runs.get(name)
    if (known !== undefined) return known
    const trial = await work()
    this.#runs.set(name, trial)
    // A line that was cut off before is ended first.
    if (this.#file !== undefined) appendFileSync(this.#file, `\n${JSON.stringify({ key, trial })}\n`)
    return trial
  }

  #read(line: string): void {
    try {
      const { key, trial } = JSON.parse(line) as { key: object; trial: Trial }
      this.#runs.set(JSON.stringify(key), trial)
    } catch {
      // Empty, or cut off when the process was killed: that run is made again.
    }
  }
}
