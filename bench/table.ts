// Rows for people: aligned columns, the spread behind every time, the peak beside it.
import type { Machine } from './machine.js'
import type { Measured } from './row.js'

const columns = [
  { title: 'op', width: 16, left: true },
  { title: 'n', width: 5 },
  { title: 'batch', width: 6 },
  { title: 'type', width: 5 },
  { title: 'cond', width: 6 },
  { title: 'method', width: 20, left: true },
  { title: 'ms', width: 10 },
  { title: '+-%', width: 5 },
  { title: 'peer', width: 10, left: true },
  { title: 'peer ms', width: 10 },
  { title: '+-%', width: 5 },
  { title: 'ratio', width: 7 },
  { title: 'error', width: 8 },
  { title: 'peer err', width: 8 },
  { title: 'peak%', width: 6 },
] as const

const pad = (text: string, { width, left }: { width: number; left?: boolean }) =>
  left ? text.padEnd(width) : text.padStart(width)

const line = (cells: readonly string[]) =>
  columns
    .map((column, i) => pad(cells[i] ?? '', column))
    .join(' ')
    .trimEnd()

export function header(): string {
  return line(columns.map(({ title }) => title))
}

export function formatRow({ row, spread }: Measured): string {
  const error = (value: number | null) => (value === null ? '-' : value.toExponential(1))
  return line([
    row.op,
    String(row.n),
    String(row.batch),
    row.dtype,
    row.condition === null ? '-' : row.condition.toExponential(0),
    row.method,
    milliseconds(row.ms),
    percent(spread.own),
    row.peer ?? '-',
    row.peerMs === null ? '-' : milliseconds(row.peerMs),
    percent(spread.peer),
    row.ratio === null ? '-' : row.ratio.toFixed(2),
    error(row.error),
    error(row.peerError),
    row.peakFraction === null ? '-' : (100 * row.peakFraction).toFixed(1),
  ])
}

/** Four significant digits, never an exponent. */
export function milliseconds(ms: number): string {
  return ms >= 1000 ? ms.toFixed(0) : ms.toPrecision(4).includes('e') ? ms.toFixed(7) : ms.toPrecision(4)
}

function percent(spread: number | null): string {
  return spread === null ? '-' : (100 * spread).toFixed(0)
}

export function formatMachine(machine: Machine): string {
  const { cpu, cores, threads, isa, node, peak, openblas } = machine
  const gigaflops = (value: number) => (value / 1e9).toFixed(0)
  const bf16 = peak?.bf16 ? `, ${gigaflops(peak.bf16)} GF/s bf16` : ''
  const limit = peak
    ? `measured peak ${gigaflops(peak.f32)} GF/s f32, ${gigaflops(peak.f64)} GF/s f64${bf16} on ${threads} threads`
    : 'peak not measured: the bench addon is not built'
  const blas = openblas ? `${openblas.config.trim()} from ${openblas.file}` : 'no OpenBLAS'
  return `${cpu}, ${cores} cores, ${isa}, Node ${node}; ${limit}; ${blas}`
}
