// Runs one subject: peers, machine block, rows. Started by scripts/bench.mjs.
import { open } from '../lib/index.js'
import type { Arguments, SubjectName } from './arguments.js'
import type { Context } from './contest.js'
import { describeMachine } from './machine.js'
import { connect as connectJax } from './peers/jax.js'
import { connect as connectMlMatrix } from './peers/ml-matrix.js'
import { connect as connectOpenblas, loadNative } from './peers/openblas.js'
import type { Measured } from './row.js'
import { formatMachine, formatRow, header } from './table.js'

interface SubjectModule {
  rows(context: Context): AsyncGenerator<Measured>
}

const modules: Record<SubjectName, () => Promise<SubjectModule>> = {
  eigh: () => import('./eigh.js'),
  'inverse-root': () => import('./inverse-root.js'),
  orthogonalize: () => import('./orthogonalize.js'),
  gemm: () => import('./gemm.js'),
  overhead: () => import('./overhead.js'),
}

/** @param nativeFile the bench addon, where it was built */
export async function main({ subject, quick, json }: Arguments, nativeFile: string | undefined): Promise<void> {
  const log = (line: string) => console.error(line)
  const device = open('auto')
  const reference = open('reference')
  const native = loadNative(nativeFile)
  const openblas = connectOpenblas(native, device.threads, log, process.env.KRONROOT_OPENBLAS)
  const machine = describeMachine(device, native, openblas?.info ?? null)
  const context: Context = {
    quick,
    budget: quick ? { seconds: 0.2, minimum: 5 } : { seconds: 1, minimum: 20 },
    device,
    reference,
    machine,
    openblas,
    mlMatrix: await connectMlMatrix(log),
    jax: await connectJax(log),
    log,
  }
  const { rows } = await modules[subject]()
  if (!json) console.log(`${formatMachine(machine)}\n\n${header()}`)
  const document = { machine, rows: [] as Measured['row'][] }
  for await (const measurement of rows(context)) {
    document.rows.push(measurement.row)
    if (!json) console.log(formatRow(measurement))
  }
  if (json) console.log(JSON.stringify(document))
  device.dispose()
  reference.dispose()
}
