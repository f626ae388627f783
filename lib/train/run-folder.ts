import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { UsageError } from './usage-error.js'

const marker = 'INCOMPLETE'

/**
 * The folder of one run. From its creation to `complete` it holds a file `INCOMPLETE`; `summary.json` appears last, by
 * rename, so a run that was killed or failed never looks finished: it has the marker and no summary.
 */
export class RunFolder {
  readonly path: string
  readonly #metrics: number

  /**
   * Creates `<parent>/<name>`, or `<name>-2`, `<name>-3`, ... where that exists already.
   *
   * @throws UsageError, as every other method, where the folder cannot be created or written.
   */
  constructor(parent: string, name: string) {
    const created = writable(parent, () => {
      createWithParents(resolve(parent))
      const path = createUnused(resolve(parent), name)
      writeFileSync(join(path, marker), 'This run has not finished: its files are not a result.\n')
      return { path, metrics: openSync(join(path, 'metrics.jsonl'), 'a') }
    })
    this.path = created.path
    this.#metrics = created.metrics
  }

  /** Appends one line to metrics.jsonl; a line is written by one call, so that a reader never sees half of one. */
  metric(record: object): void {
    writable(this.path, () => writeSync(this.#metrics, `${JSON.stringify(record)}\n`))
  }

  /** Writes a file whole: a reader finds all of it or nothing. Returns its path. */
  write(name: string, content: string): string {
    const path = join(this.path, name)
    const temporary = `${path}.writing`
    writable(this.path, () => {
      writeFileSync(temporary, content)
      renameSync(temporary, path)
    })
    return path
  }

  writeJson(name: string, value: unknown): string {
    return this.write(name, `${JSON.stringify(value, null, 2)}\n`)
  }

  /** Writes the last file of the run, its summary, and takes the marker away. */
  complete(name: string, summary: unknown): void {
    closeSync(this.#metrics)
    this.writeJson(name, summary)
    rmSync(join(this.path, marker))
  }
}

/** Folder by folder: `mkdirSync` with `recursive` never returns where creation fails with ENOENT, as under /proc. */
function createWithParents(path: string): void {
  if (existsSync(path)) return
  createWithParents(dirname(path))
  try {
    mkdirSync(path)
  } catch (error) {
    // Another run may have created it just now.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Whatever goes wrong with the folder (no permission, disk full) is for the caller to mend. */
function writable<T>(folder: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw new UsageError(`cannot write to the folder ${folder}: ${(error as Error).message}`)
  }
}

function createUnused(parent: string, name: string): string {
  for (let attempt = 1; ; attempt++) {
    const path = join(parent, attempt === 1 ? name : `${name}-${attempt}`)
    try {
      mkdirSync(path)
      return path
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

/** "compare-2026-11-20T22-30-05": sorts by time and is a valid name everywhere. */
export function runName(command: string, now: Date): string {
  return `${command}-${now.toISOString().slice(0, 19).replaceAll(':', '-')}`
}
