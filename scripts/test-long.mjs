// Campaigns too long for every run: ten million random matrices (hours). Usage: node scripts/test-long.mjs [count]
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const { status } = spawnSync(
  process.execPath,
  [
    resolve(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--reporter=dot',
    'test/conformance/eigh-random',
    'test/conformance/inverse-root-random',
  ],
  { cwd: root, stdio: 'inherit', env: { ...process.env, KRONROOT_RANDOM_MATRICES: process.argv[2] ?? '1e7' } },
)
process.exit(status ?? 1)
