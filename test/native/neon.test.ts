// The kernels for every machine compile for AArch64, to NEON's fused operation. `npm run test:native -- --preset aarch64`
// runs the C++ tests there.
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'

const compiler = 'aarch64-linux-gnu-g++'
const root = resolve(import.meta.dirname, '../..')
const hasCompiler = spawnSync(compiler, ['--version']).error === undefined
const needs = hasCompiler ? '' : ` (skipped: needs ${compiler}; Debian: apt-get install g++-aarch64-linux-gnu)`

test.skipIf(!hasCompiler)(`the baseline compiles to NEON${needs}`, { timeout: 120_000 }, () => {
  const flags = ['-std=c++20', '-O1', '-Wall', '-Wextra', '-Werror', '-ffp-contract=fast', '-S', '-o', '-']
  const { stdout, stderr, status } = spawnSync(compiler, [...flags, 'native/cpu/isa/baseline.cpp'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  expect(stderr).toBe('')
  expect(status).toBe(0)
  expect(stdout).toMatch(/\bfmla\tv\d+\.4s/)
  expect(stdout).toMatch(/\bfmla\tv\d+\.2d/)
})
