// The CUDA backend without a GPU: its C++ tests and the conformance suite, on the plugin that was compiled against the
// emulator of test/simt. Ends with the list of kernels, and fails where one of them never ran. Prints `N passed, N failed`
// last.
// Usage: node scripts/test-cuda.mjs [--seeds 3] [--part native|conformance] [FILES of vitest]
//   --seeds: so often the C++ tests run, each time with another order of the threads (1 to N).
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  options: { seeds: { type: 'string', default: '3' }, part: { type: 'string' } },
  allowPositionals: true,
})
const root = resolve(import.meta.dirname, '..')
const plugin = resolve(root, 'build-cmake/dev/libkronroot_cuda_emulated.so')
const kernelFolder = mkdtempSync(join(tmpdir(), 'kronroot-kernels-'))
let passed = 0
let failed = 0

/** Runs a script that ends with `N passed, N failed` and adds its counts. */
function count(script, args, env = {}) {
  const { stdout } = spawnSync(process.execPath, [script, ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, ...env },
  })
  process.stdout.write(stdout)
  const counts = /(\d+) passed, (\d+) failed\s*$/.exec(stdout)
  passed += counts ? Number(counts[1]) : 0
  failed += counts ? Number(counts[2]) : 1
}

const only = ['--only', 'simt,cuda', '--targets', 'kronroot_cuda_emulated']
if (values.part !== 'conformance') {
  for (let seed = 1; seed <= Number(values.seeds); seed++) {
    console.log(`C++ tests, order of the threads ${seed}`)
    count('scripts/test-native.mjs', only, { KRONROOT_SIMT_SEED: String(seed) })
  }
}
if (values.part !== 'native') {
  const files = positionals.length > 0 ? positionals : ['test/conformance', 'test/cuda', 'test/optim/device']
  count('scripts/test.mjs', files, {
    KRONROOT_TEST_DEVICE: 'cuda',
    KRONROOT_CUDA_PLUGIN: plugin,
    KRONROOT_SIMT_KERNELS: kernelFolder,
    KRONROOT_RANDOM_MATRICES: '1000',
  })
  listKernels()
}
rmSync(kernelFolder, { recursive: true, force: true })
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 && passed > 0 ? 0 : 1)

/** Every kernel of the plugin with its launches in all processes; one that never ran is a failure of a full run. */
function listKernels() {
  const launches = new Map()
  for (const file of readdirSync(kernelFolder)) {
    for (const line of readFileSync(join(kernelFolder, file), 'utf8').split('\n')) {
      const entry = /^(\d+) (.+)$/.exec(line)
      if (entry) launches.set(entry[2], (launches.get(entry[2]) ?? 0) + Number(entry[1]))
    }
  }
  console.log('launches of every kernel in the conformance suite')
  for (const [kernel, times] of [...launches].sort()) console.log(`${String(times).padStart(9)}  ${kernel}`)
  const idle = [...launches.values()].filter((times) => times === 0).length
  console.log(`${launches.size - idle} of ${launches.size} kernels ran`)
  if (positionals.length > 0) return
  if (idle > 0 || launches.size === 0) failed += 1
}
