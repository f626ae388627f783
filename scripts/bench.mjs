// npm run -s bench -- SUBJECT [--quick] [--json]: runs a subject of bench/. Standard output carries the result alone.
import { buildNative, loadBench, root } from './bench-build.mjs'

const { parse } = await loadBench('arguments.js')
const options = parse(process.argv.slice(2))
if (typeof options === 'string') {
  console.error(options)
  process.exit(2)
}
process.chdir(root)
const { main } = await loadBench('main.js')
await main(options, buildNative())
