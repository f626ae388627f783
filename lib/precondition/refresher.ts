import type { Device } from '../device.js'
import type { Report } from '../linalg/report.js'
import type { Tensor } from '../tensor.js'
import { allOrNothing, cast, copyAll, held, type Run, runsOf, withViews } from './arrays.js'
import { activeFactors, type BucketFactors, type Factor, isStarted } from './factors.js'
import { raiseWhereExhausted } from './recovery.js'
import type { RefreshTiming } from './refresh.js'
import { traces } from './roots.js'
import type { Solve, Solver } from './solver.js'

/** How statistics are scaled before they are solved. */
export interface StatisticScaling {
  /** Divide averages by 1 - prod(beta), what they lack because they started at zero. */
  readonly isCorrected: boolean
  /** Multiply by trace^{-e}; 0 leaves them alone. */
  readonly traceExponent: number
}

/** Carries state that lives in an eigenbasis over to another one; called before `solved` is overwritten by `fresh`. */
export type Transport = (group: BucketFactors, factor: Factor, run: Run, fresh: Tensor) => void

/** What a refresher works with. */
export interface RefresherOptions {
  /** What error messages call the rule. */
  readonly owner: string
  readonly timing: RefreshTiming
  readonly solver: Solver
  readonly scaling: StatisticScaling
  readonly transport?: Transport
  /** Whether a block is due as soon as it has its first gradient, whatever the period. Default false. */
  readonly isEager?: boolean
}

/** A solve off the JavaScript thread. */
interface Job {
  readonly group: BucketFactors
  readonly factor: Factor
  readonly run: Run
  /** The step whose statistics it solves. */
  readonly step: number
  readonly statistics: Tensor
  readonly fresh: Tensor
  /** Resolves when it has ended. */
  ended?: Promise<void>
  /** Once it has ended. */
  outcome?: { readonly report: Report } | { readonly error: unknown }
}

/**
 * Decides which blocks of a group are refreshed at a step, and refreshes them: one native call a dimension and run of
 * neighbouring blocks. A block whose refresh is due waits for the first step in which it has a gradient. A matrix that no rung
 * of the ladder answers keeps what it has and is counted by the ledger of its factor.
 */
export class Refresher {
  /** Rounds through all blocks that staggered refreshes have made, in state so that a resumed run goes on with the same. */
  readonly rounds = { progress: 0 }
  readonly #device: Device
  readonly #groups: readonly BucketFactors[]
  readonly #options: RefresherOptions
  /** For every bucket, where in a round each of its blocks has its turn, between 0 and 1. */
  readonly #turns: readonly Float64Array[]
  #jobs: Job[] = []

  constructor(device: Device, groups: readonly BucketFactors[], options: RefresherOptions) {
    this.#device = device
    this.#groups = groups
    this.#options = options
    this.#turns = turnsOf(groups)
  }

  /** Blocks of a bucket whose factor of a dimension is being solved off the JavaScript thread. */
  pendingOf(group: BucketFactors, dimension: number): number {
    const own = this.#jobs.filter((job) => job.group === group && job.factor.dimension === dimension)
    return own.reduce((sum, { run }) => sum + run.to - run.from, 0)
  }

  /** Notes which blocks are due at a step; whether any are, or wait, or are being solved. */
  mark(step: number): boolean {
    this.#markDue(step)
    return this.#jobs.length > 0 || this.#groups.some(({ due }) => due.includes(1))
  }

  /**
   * Takes what is ready and refreshes what is due.
   * @param isPresent whether a parameter has a gradient in this step
   * @throws ERR_NOT_CONVERGED where a factor failed more often in a row than is tolerated
   */
  advance(step: number, isPresent: (parameter: number) => boolean): void {
    const { staleness } = this.#options.timing
    this.#settle((job) => step - job.step >= (staleness ?? 0))
    for (const group of this.#groups) {
      const { blocks } = group.bucket
      const runs = runsOf(blocks.length, (block) => {
        const isReady = group.due[block] === 1 && group.seen[block] === 1 && !this.#isPending(group, block)
        return isReady && isPresent(blocks[block]!.parameter)
      })
      for (const run of runs) {
        for (const factor of activeFactors(group)) this.#refresh(group, factor, run, step)
        group.due.fill(0, run.from, run.to)
      }
    }
    this.#raise()
  }

  /** Resolves when the solves that are under way have ended; the next step takes their answers. */
  async settled(): Promise<void> {
    await Promise.all(this.#jobs.map((job) => job.ended))
  }

  /** Ends all solves that are under way, so that the state is whole. */
  finish(): void {
    this.#settle(() => true)
    this.#raise()
  }

  dispose(): void {
    for (const job of this.#jobs) disposeJob(job)
    this.#jobs = []
  }

  #isPending(group: BucketFactors, block: number): boolean {
    return this.#jobs.some((job) => job.group === group && job.run.from <= block && block < job.run.to)
  }

  #raise(): void {
    const ledgers = this.#groups.flatMap((group) => activeFactors(group).map((factor) => factor.ledger))
    raiseWhereExhausted(this.#options.owner, ledgers)
  }

  #markDue(step: number): void {
    const { timing, isEager = false } = this.#options
    if (isEager) for (const group of this.#groups) markUnstarted(group)
    if (!timing.isStaggered) {
      if (timing.isDue(step)) for (const group of this.#groups) group.due.fill(1)
      return
    }
    if (step < timing.start) return
    const from = this.rounds.progress
    const to = from + 1 / timing.every(step)
    this.rounds.progress = to % 1
    this.#groups.forEach((group, bucket) => {
      this.#turns[bucket]!.forEach((turn, block) => {
        if (isWithin(turn, from, to)) group.due[block] = 1
      })
    })
  }

  #refresh(group: BucketFactors, factor: Factor, run: Run, step: number): void {
    if (factor.kind === 'diagonal') {
      this.#refreshDiagonal(group, factor, run, step)
      return
    }
    if (this.#options.timing.staleness === undefined) {
      this.#withStatistics(group, factor, run, (statistics) => {
        this.#solveNow(group, factor, run, statistics, step)
      })
      return
    }
    this.#solveLater(group, factor, run, step)
  }

  #solveNow(group: BucketFactors, factor: Factor, run: Run, statistics: Tensor, step: number): void {
    const { solver, transport } = this.#options
    withViews((views) => {
      for (const part of this.#worn(factor, run, statistics, step)) {
        const source = views.matrices(statistics, { from: part.from - run.from, to: part.to - run.from })
        const solved = views.matrices(factor.solved, part)
        if (transport === undefined) {
          this.#note(factor, part, inPrecision(solver, factor, source, solved, step).now(), step)
          continue
        }
        using fresh = copyOf(solved)
        const report = inPrecision(solver, factor, source, fresh, step).now()
        this.#take(group, factor, part, fresh, report, step)
      }
    })
  }

  /** The blocks of a run whose previous answers are not good enough any more. */
  #worn(factor: Factor, run: Run, statistics: Tensor, step: number): readonly Run[] {
    const { solver, timing } = this.#options
    if (solver.stillGood === undefined || timing.tolerance(step) === 0) return [run]
    const isGood = withViews((views) => {
      const solved = views.matrices(factor.solved, run)
      if (statistics.dtype === 'f32') return solver.stillGood!(factor, statistics, solved, step)
      using narrow = cast(statistics, 'f32')
      return solver.stillGood!(factor, narrow, solved, step)
    })
    const isKept = (block: number) => isGood[block - run.from] === true && factor.refreshedAt[block]! > 0
    for (let block = run.from; block < run.to; block++) if (isKept(block)) factor.ledger.keep(block)
    return runsOf(run.to, (block) => block >= run.from && !isKept(block))
  }

  #solveLater(group: BucketFactors, factor: Factor, run: Run, step: number): void {
    const parts = this.#withStatistics(group, factor, run, (statistics) => this.#worn(factor, run, statistics, step))
    for (const part of parts) {
      const statistics = this.#withStatistics(group, factor, part, copyOf)
      const fresh = withViews((views) => copyOf(views.matrices(factor.solved, part)))
      const job: Job = { group, factor, run: part, step, statistics, fresh }
      this.#jobs.push(job)
      job.ended = inPrecision(this.#options.solver, factor, statistics, fresh, step)
        .later()
        .then(
          (report) => {
            job.outcome = { report }
          },
          (error: unknown) => {
            job.outcome = { error }
          },
        )
    }
  }

  /** Takes the answers that are there, and those that must be there by now. */
  #settle(isOverdue: (job: Job) => boolean): void {
    const waiting: Job[] = []
    const ended: Job[] = []
    for (const job of this.#jobs) (job.outcome !== undefined || isOverdue(job) ? ended : waiting).push(job)
    this.#jobs = waiting
    ended.forEach((job, index) => {
      try {
        this.#end(job)
      } catch (error) {
        for (const other of ended.slice(index + 1)) disposeJob(other)
        throw error
      } finally {
        disposeJob(job)
      }
    })
  }

  #end({ group, factor, run, step, statistics, fresh, outcome }: Job): void {
    if (outcome === undefined) {
      this.#solveNow(group, factor, run, statistics, step)
      return
    }
    if ('error' in outcome) throw outcome.error
    this.#take(group, factor, run, fresh, outcome.report, step)
  }

  #take(group: BucketFactors, factor: Factor, run: Run, fresh: Tensor, report: Report, step: number): void {
    this.#options.transport?.(group, factor, run, fresh)
    withViews((views) => {
      copyAll(this.#device, [{ from: fresh, to: views.matrices(factor.solved, run) }])
    })
    this.#note(factor, run, report, step)
  }

  #note(factor: Factor, run: Run, report: Report, step: number): void {
    const failed = new Set(factor.ledger.record(report, () => true, run.from))
    for (let block = run.from; block < run.to; block++) if (!failed.has(block)) factor.refreshedAt[block] = step
  }

  #refreshDiagonal(group: BucketFactors, factor: Factor, run: Run, step: number): void {
    const { divisors } = this.#options.solver
    this.#withStatistics(group, factor, run, (statistics) => {
      withViews((views) => {
        views.matrices(factor.solved, run).write(divisors!(factor, statistics.data() as Float32Array, step))
      })
    })
    factor.refreshedAt.fill(step, run.from, run.to)
  }

  /** Runs `work` on the statistics of neighbouring blocks, scaled; they are not to be kept. */
  #withStatistics<Result>(
    group: BucketFactors,
    factor: Factor,
    run: Run,
    work: (statistics: Tensor) => Result,
  ): Result {
    const { isCorrected, traceExponent } = this.#options.scaling
    return factor.statistic.read(run, (statistics) => {
      const factors = Array.from({ length: run.to - run.from }, (_, index) => {
        const weight = group.startWeight[run.from + index]!
        return isCorrected && weight !== 1 ? 1 / (1 - weight) : 1
      })
      if (traceExponent !== 0) {
        traces(statistics).forEach((trace, index) => {
          const scaled = trace * factors[index]!
          if (scaled > 0) factors[index]! *= scaled ** -traceExponent
        })
      }
      // A correction below the rounding of fp32 changes nothing.
      if (factors.every((value) => Math.abs(value - 1) < 2 ** -25)) return work(statistics)
      using scaled = scaledCopy(statistics, factors)
      return work(scaled)
    })
  }
}

/** Matrices times a factor each. */
function scaledCopy(matrices: Tensor, factors: readonly number[]): Tensor {
  const size = matrices.size / factors.length
  return allOrNothing(() => {
    const copy = held(matrices.device.empty(matrices.shape, { dtype: matrices.dtype }))
    withViews((views) => {
      const copies = factors.map((factor, index) => ({
        from: views.of(matrices, index * size, size),
        to: views.of(copy, index * size, size),
        factor,
      }))
      copyAll(matrices.device, copies)
    })
    return copy
  })
}

/** A solve in the precision that the solver takes, whose answers are fp32 in any case. */
function inPrecision(solver: Solver, factor: Factor, statistics: Tensor, solved: Tensor, step: number): Solve {
  if (statistics.dtype === 'f32') return solver.solve(factor, statistics, solved, step)
  if (solver.isSingle === true) {
    const narrow = cast(statistics, 'f32')
    return followed(solver.solve(factor, narrow, solved, step), () => narrow.dispose())
  }
  const wide = cast(solved, 'f64')
  const take = () => solved.write(Float32Array.from(wide.data()))
  return followed(solver.solve(factor, statistics, wide, step), () => wide.dispose(), take)
}

/** A solve with something to do when it has answered, and when it has ended. */
function followed({ now, later }: Solve, ended: () => void, answered: () => void = () => {}): Solve {
  return {
    now: () => {
      try {
        const report = now()
        answered()
        return report
      } finally {
        ended()
      }
    },
    later: async () => {
      try {
        const report = await later()
        answered()
        return report
      } finally {
        ended()
      }
    },
  }
}

function copyOf(tensor: Tensor): Tensor {
  return allOrNothing(() => {
    const copy = held(tensor.device.empty(tensor.shape, { dtype: tensor.dtype }))
    copyAll(tensor.device, [{ from: tensor, to: copy }])
    return copy
  })
}

/** Memory that a solve still uses outlives it. */
function disposeJob({ statistics, fresh }: Job): void {
  statistics.dispose()
  fresh.dispose()
}

/** Where the blocks of all buckets have their turn in a round: the middle of their part of the cost, d^3 a factor. */
function turnsOf(groups: readonly BucketFactors[]): readonly Float64Array[] {
  const costs = groups.map((group) =>
    activeFactors(group).reduce((sum, { kind, size }) => sum + (kind === 'full' ? size ** 3 : size), 0),
  )
  const total = groups.reduce((sum, { bucket }, index) => sum + costs[index]! * bucket.blocks.length, 0)
  let before = 0
  return groups.map(({ bucket }, index) =>
    Float64Array.from(bucket.blocks, () => {
      const turn = total === 0 ? 0 : (before + costs[index]! / 2) / total
      before += costs[index]!
      return turn
    }),
  )
}

/** Marks the blocks that have had no answer yet. */
function markUnstarted(group: BucketFactors): void {
  for (let block = 0; block < group.due.length; block++) if (!isStarted(group, block)) group.due[block] = 1
}

/** Whether a turn comes in (from, to], which may reach into the next round. */
function isWithin(turn: number, from: number, to: number): boolean {
  return (turn > from && turn <= to) || turn + 1 <= to
}
