// npm run plots -- RESULTS.json: draws the plots of docs/performance.md from a document of `npm run -s bench -- all --json`.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { loadBench, root } from './bench-build.mjs'

const [file] = process.argv.slice(2)
if (file === undefined) {
  console.error('usage: npm run plots -- RESULTS.json')
  process.exit(2)
}
const { rows } = JSON.parse(readFileSync(file, 'utf8'))
const { draw, plots } = await loadBench('plots.js')
const folder = resolve(root, 'docs/plots')
mkdirSync(folder, { recursive: true })
for (const plot of plots(rows)) {
  writeFileSync(resolve(folder, `${plot.file}.svg`), `${draw(plot)}\n`)
  console.log(`docs/plots/${plot.file}.svg`)
}
