// Everything that can run on this machine: the C++ tests, then vitest. Prints `N passed, N failed` last.
// Arguments go to vitest: `npm test -- test/optim`.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const selection = process.argv.slice(2)
let passed = 0
let failed = 0

if (selection.length === 0) {
  const native = spawnSync(process.execPath, ['scripts/test-native.mjs'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  process.stdout.write(native.stdout)
  const counts = /(\d+) passed, (\d+) failed\s*$/.exec(native.stdout)
  passed += counts ? Number(counts[1]) : 0
  failed += counts ? Number(counts[2]) : 1
}

const folder = mkdtempSync(join(tmpdir(), 'kronroot-test-'))
const outputFile = join(folder, 'vitest.json')
const vitest = spawnSync(
  process.execPath,
  [
    resolve(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${outputFile}`,
    ...selection,
  ],
  { cwd: root, stdio: 'inherit' },
)
try {
  const results = JSON.parse(readFileSync(outputFile, 'utf8'))
  passed += results.numPassedTests
  failed += results.numFailedTests
  if (vitest.status !== 0 && results.numFailedTests === 0) failed += 1
} catch {
  failed += 1
}
rmSync(folder, { recursive: true, force: true })
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 && passed > 0 ? 0 : 1)
