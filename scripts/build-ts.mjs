// Compiles lib/ twice: ES modules to dist/esm, CommonJS to dist/cjs. `--out DIR` puts them elsewhere (the tests do).
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const tsc = createRequire(import.meta.url).resolve('typescript/lib/tsc.js')

const { values } = parseArgs({ options: { out: { type: 'string', default: 'dist' } } })
const out = resolve(root, values.out)

rmSync(out, { recursive: true, force: true })
for (const [project, format] of [
  ['tsconfig.json', 'esm'],
  ['tsconfig.cjs.json', 'cjs'],
]) {
  const folder = resolve(out, format)
  const { status } = spawnSync(process.execPath, [tsc, '-p', project, '--outDir', folder], {
    cwd: root,
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(status ?? 1)
  // Written by hand and the same in both builds, so not a matter for tsc.
  mkdirSync(resolve(folder, 'native'), { recursive: true })
  for (const file of ['anchor.cjs', 'anchor.d.cts']) {
    copyFileSync(resolve(root, 'lib/native', file), resolve(folder, 'native', file))
  }
  writeFileSync(resolve(folder, 'package.json'), `{ "type": "${format === 'esm' ? 'module' : 'commonjs'}" }\n`)
}
