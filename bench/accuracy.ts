// Errors of inverse roots by method, root, condition and spectrum. Not a race: `npm run -s bench -- accuracy` prints the
// table of docs/inverse-roots.md.
import { type Device, inverseRoot, type RootMethod, rootMethods } from '../lib/index.js'
import { dominated, graded, Random, relativeError, shampooEma, typed, type ZooMatrix } from '../test/matrices/zoo.js'
import { exactFunction } from './exact.js'

const n = 64
const batch = 4
const roots = [1, 2, 3, 4, 8] as const
const conditions = [1e2, 1e4, 1e6] as const

const spectra: Readonly<Record<string, (condition: number, random: Random) => ZooMatrix>> = {
  geometric: (condition, random) => graded(n, condition, { dtype: 'f32', random }),
  'one large': (condition, random) => dominated(n, condition, { dtype: 'f32', random }),
  'Shampoo-like': (_, random) => shampooEma(n, { dtype: 'f32', random, steps: 50 }),
}

export interface AccuracyRow {
  readonly spectrum: string
  readonly p: number
  readonly condition: number
  /** Worst relative Frobenius error against f64; in brackets where another rung answered. */
  readonly errors: Readonly<Record<RootMethod, string>>
}

export function* accuracies(device: Device): Generator<AccuracyRow> {
  for (const [spectrum, make] of Object.entries(spectra))
    for (const p of roots)
      for (const condition of conditions) {
        const random = new Random(p)
        const matrices = Array.from({ length: batch }, () => make(2 * condition, random).data)
        const errors = rootMethods.map((method) => [method, error(device, matrices, p, condition, method)] as const)
        yield { spectrum, p, condition, errors: Object.fromEntries(errors) as AccuracyRow['errors'] }
      }
}

function error(
  device: Device,
  matrices: readonly Float64Array[],
  p: number,
  condition: number,
  method: RootMethod,
): string {
  if ((method === 'newton-db' || method === 'cans') && ![2, 4, 8].includes(p)) return '-'
  const ridge = 1 / (2 * condition)
  let worst = 0
  let climbed = false
  for (const data of matrices) {
    const a = device.tensor(typed('f32', data), [n, n])
    const { value, report } = inverseRoot(a, { p, method, ridge: { relative: ridge } })
    const rounded = Float64Array.from(a.data())
    const largest = largestEigenvalue(device, rounded)
    const exact = exactFunction(device, rounded, n, (w) => (Math.max(w, 0) + ridge * largest) ** (-1 / p))
    worst = Math.max(worst, relativeError(value.data(), exact))
    climbed ||= report.rung[0] !== 'chosen'
    a.dispose()
    value.dispose()
  }
  return climbed ? `(${worst.toExponential(1)})` : worst.toExponential(1)
}

function largestEigenvalue(device: Device, a: Float64Array): number {
  let largest = 0
  exactFunction(device, a, n, (w) => {
    largest = Math.max(largest, w)
    return w
  })
  return largest
}

/** A Markdown table. */
export function* formatAccuracies(rows: Iterable<AccuracyRow>): Generator<string> {
  yield `| spectrum | p | condition | ${rootMethods.join(' | ')} |`
  yield `|---|---|---|${rootMethods.map(() => '---|').join('')}`
  for (const { spectrum, p, condition, errors } of rows)
    yield `| ${spectrum} | ${p} | ${condition.toExponential(0)} | ${rootMethods.map((method) => errors[method]).join(' | ')} |`
}
