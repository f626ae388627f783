// Runs one subject or all: peers, machine block, rows, and what of the targets they reached. Started by scripts/bench.mjs.
import { open } from '../lib/index.js'
import { accuracies, formatAccuracies } from './accuracy.js'
import type { Arguments, StudyName, SubjectName } from './arguments.js'
import type { Context } from './contest.js'
import { describeMachine } from './machine.js'
import { connect as connectJax } from './peers/jax.js'
import { connect as connectMlMatrix } from './peers/ml-matrix.js'
import { connect as connectOpenblas, loadNative } from './peers/openblas.js'
import type { Measured } from './row.js'
import { formatSlope, slopes } from './scaling.js'
import { formatMachine, formatRow, header } from './table.js'
import { formatVerdict, verdicts } from './targets.js'

interface SubjectModule {
  rows(context: Context): AsyncGenerator<Measured>
}

const modules: Record<SubjectName, () => Promise<SubjectModule>> = {
  eigh: () => import('./eigh.js'),
  'inverse-root': () => import('./inverse-root.js'),
  'spd-inverse': () => import('./spd-inverse.js'),
  orthogonalize: () => import('./orthogonalize.js'),
  factors: () => import('./factors.js'),
  gemm: () => import('./gemm.js'),
  kronecker: () => import('./kronecker.js'),
  elementwise: () => import('./elementwise.js'),
  scaling: () => import('./scaling.js'),
  overhead: () => import('./overhead.js'),
}

interface StudyModule {
  run(context: Context & { readonly journal: string | undefined }): Promise<object>
  /** @param result what `run` gave */
  format(result: never): string
}

const studyModules: Record<StudyName, () => Promise<StudyModule>> = {
  'optimizer-step': () => import('./optimizer-step.js'),
  training: () => import('./training.js'),
}

/** @param nativeFile the bench addon, where it was built */
export async function main(
  { chosen, accuracy, study, quick, json, journal }: Arguments,
  nativeFile: string | undefined,
): Promise<void> {
  const log = (line: string) => console.error(line)
  const device = open('auto')
  if (accuracy) {
    for (const line of formatAccuracies(accuracies(device))) console.log(line)
    return device.dispose()
  }
  const reference = open('reference')
  const native = loadNative(nativeFile)
  const { KRONROOT_OPENBLAS: library, KRONROOT_OPENBLAS_CORE: core } = process.env
  const openblas = connectOpenblas(native, device.threads, log, library, core)
  const machine = describeMachine(device, native, openblas?.info ?? null)
  const context: Context = {
    quick,
    budget: quick ? { seconds: 0.2, minimum: 5 } : { seconds: 0.4, minimum: 9 },
    device,
    reference,
    machine,
    openblas,
    mlMatrix: await connectMlMatrix(log),
    jax: await connectJax(log),
    log,
  }
  if (study) {
    const { run, format } = await studyModules[study]()
    const result = await run({ ...context, journal })
    console.log(
      json ? JSON.stringify({ machine, ...result }) : `${formatMachine(machine)}\n\n${format(result as never)}`,
    )
    device.dispose()
    return reference.dispose()
  }
  if (!json) console.log(`${formatMachine(machine)}\n\n${header()}`)
  const measurements: Measured[] = []
  for (const subject of chosen) {
    const { rows } = await modules[subject]()
    for await (const measurement of rows(context)) {
      measurements.push(measurement)
      if (json) log(formatRow(measurement))
      else console.log(formatRow(measurement))
    }
  }
  const rows = measurements.map(({ row }) => row)
  const [growth, reached] = [slopes(measurements), verdicts(rows)]
  if (json) {
    console.log(JSON.stringify({ machine, rows, slopes: growth, verdicts: reached }))
  } else {
    for (const line of [...growth.map(formatSlope), ...reached.map(formatVerdict)]) console.log(line)
  }
  device.dispose()
  reference.dispose()
}
