import type { Command } from 'commander'
import { z } from 'zod'
import { compare } from '../train/comparison-job.js'
import { type ContenderName, contenderNames, contenders } from '../train/contenders.js'
import { bestOf, committedTuning } from '../train/learning-rates.js'
import { Progress } from '../train/progress.js'
import { sweep } from '../train/sweep.js'
import { failureNotes, findings, formatTable, resultTable } from '../train/table.js'
import { UsageError } from '../train/usage-error.js'

const integerFrom = (low: number, high: number) => {
  const message = `expected an integer from ${low} to ${high}`
  return z.string().regex(/^\d+$/, message).transform(Number).pipe(z.number().min(low, message).max(high, message))
}

const optimizerList = z.string().transform((list, context): ContenderName[] => {
  const names = list.split(',').map((name) => name.trim())
  const unknown = names.filter((name) => !contenderNames.includes(name as ContenderName))
  if (unknown.length > 0) {
    context.addIssue(`unknown optimizer ${unknown.join(', ')}; there are ${contenderNames.join(', ')}`)
    return z.NEVER
  }
  return contenderNames.filter((name) => names.includes(name))
})

const flags = z.object({
  seeds: integerFrom(1, 100).optional(),
  batch: integerFrom(1, 60_000).optional(),
  steps: integerFrom(1, 1_000_000).optional(),
  optimizers: optimizerList.optional(),
  sweep: z.boolean().default(false),
  short: z.boolean().default(false),
  json: z.boolean().default(false),
  out: z.string().min(1, 'expected a folder').default('out'),
})
type Flags = z.infer<typeof flags>

/** The run that the learning rates were tuned for. */
const full = { seeds: 1, batch: committedTuning.batch, steps: committedTuning.steps, evaluateEvery: 10 }

/** For CI: long enough for every loss to fall by a quarter, short enough to end within 20 seconds on two cores. */
const short = { seeds: 1, batch: 250, steps: 60, evaluateEvery: 10 }

export function addCompareCommand(program: Command): void {
  program
    .command('compare', { isDefault: true })
    .description('train the deep MNIST autoencoder with AdamW, Muon and Shampoo, and compare them')
    .option('--seeds <n>', `seeds 1..n (default ${full.seeds})`)
    .option('--batch <n>', `images per step (default ${full.batch})`)
    .option('--steps <n>', `steps per run (default ${full.steps})`)
    .option('--optimizers <list>', `some of ${contenderNames.join(',')} (default all)`)
    .option('--short', `${short.steps} steps; fails where a loss does not fall by a quarter`)
    .option('--sweep', 'find the learning rates again instead: every rate of the grid with every optimizer')
    .option('--json', 'print one JSON document instead of the table')
    .option('--out <dir>', "folder for the run's own folder (default out)")
    .allowExcessArguments(false)
    .action(async (raw: Record<string, unknown>) => {
      const chosen = checkFlags(raw)
      await (chosen.sweep ? runSweep(chosen) : runComparison(chosen))
    })
}

function checkFlags(raw: Record<string, unknown>): Flags {
  const parsed = flags.safeParse(raw)
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!
    throw new UsageError(`--${path.join('.')} ${String(raw[String(path[0])])}: ${message}`)
  }
  const { sweep: isSweep, short: isShort, seeds, optimizers } = parsed.data
  if (isSweep && (isShort || seeds !== undefined || optimizers !== undefined)) {
    throw new UsageError('--sweep goes with --batch, --steps, --json and --out only')
  }
  return parsed.data
}

async function runComparison(chosen: Flags): Promise<void> {
  const preset = chosen.short ? short : full
  const options = {
    optimizers: chosen.optimizers ?? contenderNames,
    seeds: chosen.seeds ?? preset.seeds,
    batch: chosen.batch ?? preset.batch,
    steps: chosen.steps ?? preset.steps,
    evaluateEvery: preset.evaluateEvery,
    out: chosen.out,
  }
  const progress = new Progress()
  const finished = await compare(options, progress)
  if (chosen.json) process.stdout.write(`${JSON.stringify(finished.result)}\n`)
  else process.stdout.write(`${resultText(finished, options)}\n`)
  if (chosen.short && finished.failed.length > 0) {
    process.stderr.write(`kronroot: the loss did not fall by a quarter: ${finished.failed.join('; ')}\n`)
    process.exitCode = 1
  }
}

function resultText(
  { result, entries, report }: Awaited<ReturnType<typeof compare>>,
  { batch, steps, seeds }: { batch: number; steps: number; seeds: number },
): string {
  const target = result.target === null ? 'none' : `AdamW's final training loss, ${result.target.toFixed(2)}`
  return [
    '',
    `MNIST autoencoder, ${steps} steps of ${batch} images, ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}; target: ${target}`,
    '',
    formatTable(resultTable(result, entries)),
    '',
    ...findings(result),
    ...failureNotes(entries),
    '',
    `report: ${report}`,
  ].join('\n')
}

async function runSweep(chosen: Flags): Promise<void> {
  const batch = chosen.batch ?? full.batch
  const steps = chosen.steps ?? full.steps
  const isDefault = chosen.batch === undefined && chosen.steps === undefined
  const command = isDefault ? 'npm start -- --sweep' : `npm start -- --sweep --batch ${batch} --steps ${steps}`
  const { tuning, folder } = await sweep({ batch, steps, out: chosen.out, command }, new Progress())
  if (chosen.json) {
    process.stdout.write(`${JSON.stringify(tuning)}\n`)
    return
  }
  const names = contenderNames
  const headings = ['learning rate', ...names.map((name) => contenders[name].title)]
  const rows = tuning.trials[names[0]].map(({ learningRate }, index) => [
    String(learningRate),
    ...names.map((name) => {
      const { finalLoss } = tuning.trials[name][index]!
      const isBest = bestOf(tuning.trials[name]) === learningRate
      return `${finalLoss === null ? 'diverged' : finalLoss.toFixed(2)}${isBest ? ' *' : '  '}`
    }),
  ])
  process.stdout.write(
    `\nFinal training loss after ${steps} steps of ${batch} images (* the best)\n\n${formatTable({ headings, rows })}\n\n` +
      `to adopt them: cp ${folder}/tuned-learning-rates.ts lib/train/\n`,
  )
}
