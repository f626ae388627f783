// npm run tune [-- FILE | -- --built-in]: measures where the routes of this machine cross (some ten minutes) and writes the table
// to FILE (default crossovers.txt), for KRONROOT_CROSSOVERS; --built-in writes native/core/crossovers.inc instead.
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { resolve } from 'node:path'
import { loadBench, root } from './bench-build.mjs'

const [target = 'crossovers.txt'] = process.argv.slice(2)
const called = process.cwd()
process.chdir(root)
const { tune } = await loadBench('tune.js')
const table = await tune(cpus()[0]?.model ?? 'unknown', (line) => console.error(line))
if (target === '--built-in') {
  writeFileSync(resolve(root, 'native/core/crossovers.inc'), `R"(\n${table})"\n`)
} else {
  writeFileSync(resolve(called, target), table)
  console.log(`KRONROOT_CROSSOVERS=${resolve(called, target)}`)
}
