// Times several contenders in one process, turn by turn, so that whatever else the machine does hits all of them alike.

export interface Contender {
  readonly name: string
  /** One call on the inputs of this round; rounds go on counting, so that inputs can rotate. */
  run(round: number): void | Promise<void>
}

export interface Budget {
  /** Seconds that each contender may spend being timed. */
  readonly seconds: number
  /** Samples wanted before the budget may end the timing of a contender that fits into it. */
  readonly minimum: number
}

export interface Timing {
  readonly name: string
  /** Milliseconds of one call. */
  readonly median: number
  /** Half the distance between the quartiles over the median; null below three samples. */
  readonly spread: number | null
  readonly samples: number
}

/** Calls shorter than this are repeated within one sample: the clock and the first touch of caches cost more. */
const shortestSample = 1

interface Runner {
  readonly contender: Contender
  readonly samples: number[]
  repeats: number
  round: number
  spent: number
}

/** A first call longer than this many budgets is taken as it is: what it spent on warming up is a small part of it. */
const longest = 4

/**
 * Warms every contender up (first call, then a second one that also calibrates how often it is repeated within a sample)
 * and takes samples in turns, in changing order, until every contender has spent its budget. A contender whose single
 * call exceeds the budget gets one sample.
 */
export async function interleaved(contenders: readonly Contender[], budget: Budget): Promise<Timing[]> {
  const runners: Runner[] = []
  for (const contender of contenders) {
    const runner: Runner = { contender, samples: [], repeats: 1, round: 0, spent: 0 }
    const cold = await sample(runner)
    const warm = cold < longest * budget.seconds * 1e3 ? await sample(runner) : cold
    runner.repeats = Math.max(1, Math.ceil(shortestSample / warm))
    if (warm >= budget.seconds * 1e3) runner.samples.push(warm)
    runners.push(runner)
  }
  const waiting = (runner: Runner) =>
    runner.samples.length === 0 ||
    (runner.spent < budget.seconds * 1e3 && runner.samples[0]! < budget.seconds * 1e3) ||
    (runner.samples.length < budget.minimum && runner.samples[0]! * budget.minimum < longest * 1e3 * budget.seconds)
  for (let turn = 0; runners.some(waiting); turn++) {
    const order = turn % 2 === 0 ? runners : [...runners].reverse()
    for (const runner of order) if (waiting(runner)) runner.samples.push(await sample(runner))
  }
  return runners.map(({ contender, samples }) => ({ name: contender.name, ...summary(samples) }))
}

/** Milliseconds per call over runner.repeats calls. */
async function sample(runner: Runner): Promise<number> {
  const start = performance.now()
  for (let i = 0; i < runner.repeats; i++) {
    const pending = runner.contender.run(runner.round++)
    if (pending) await pending
  }
  const elapsed = performance.now() - start
  runner.spent += elapsed
  return elapsed / runner.repeats
}

export function quantile(sorted: readonly number[], q: number): number {
  const position = q * (sorted.length - 1)
  const below = Math.floor(position)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below]! + (position - below) * (sorted[above]! - sorted[below]!)
}

/** Median and spread of samples. */
export function summary(samples: readonly number[]): { median: number; spread: number | null; samples: number } {
  const sorted = [...samples].sort((a, b) => a - b)
  const median = quantile(sorted, 0.5)
  const spread = sorted.length < 3 ? null : (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 2 / median
  return { median, spread, samples: sorted.length }
}
