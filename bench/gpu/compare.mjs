// One table of kronroot's rows and its peers': node compare.mjs kronroot.json peers.json > results.json (text on standard
// error). A peer is compared where its error is at most twice kronroot's (the accuracy gate); the others are listed too.
import { readFileSync } from 'node:fs'

const [own, peers] = process.argv.slice(2, 4).map((file) => {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return { machine: {}, rows: [] }
  }
})
const rows = own.rows.map((row) => {
  const rivals = peers.rows
    .filter((peer) => peer.op === row.op && peer.n === row.n && peer.batch === row.batch && peer.ms !== undefined)
    .map(({ peer, dtype, ms, error }) => ({
      peer,
      dtype,
      ms,
      error,
      ratio: ms / row.ms,
      isAsExact: !(error > 2 * row.error),
    }))
    .sort((x, y) => x.ms - y.ms)
  return { ...row, peers: rivals }
})
for (const { op, dtype, n, batch, ms, error, peers: rivals } of rows) {
  const told = rivals.map(
    (r) => `${r.peer} ${r.dtype} ${r.ratio.toFixed(2)}x${r.isAsExact ? '' : ` (error ${r.error?.toExponential(0)})`}`,
  )
  console.error(
    `${op.padEnd(20)} ${dtype} n ${String(n).padStart(4)} batch ${String(batch).padStart(5)} ${ms.toFixed(3).padStart(9)} ms  error ${error?.toExponential(1) ?? '-'}  ${told.join(', ')}`,
  )
}
process.stdout.write(`${JSON.stringify({ machine: { ...peers.machine, ...own.machine }, rows }, null, 1)}\n`)
