// The CUDA backend without a GPU: its C++ tests and the conformance suite, on the plugin that was compiled against the
// emulator of test/simt. A full run ends with the list of kernels, and fails where one of them never ran. Prints
// `N passed, N failed` last.
// Usage: node scripts/test-cuda.mjs [--seeds 3] [--part native|conformance] [FILES of vitest]
//   --seeds: so often the C++ tests run, each time with another order of the threads (1 to N).
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
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
const parts = { native: join(kernelFolder, 'native'), conformance: join(kernelFolder, 'conformance') }
for (const folder of Object.values(parts)) mkdirSync(folder)
const isFull = values.part === undefined && positionals.length === 0
let passed = 0
let failed = 0

/** Runs a script that ends with `N passed, N failed` and adds its counts. */
function count(script, args, env = {}) {
  const started = Date.now()
  const { stdout } = spawnSync(process.execPath, [script, ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, ...env },
  })
  process.stdout.write(stdout)
  console.log(`(${((Date.now() - started) / 1000).toFixed(0)} s)`)
  const counts = /(\d+) passed, (\d+) failed\s*$/.exec(stdout)
  passed += counts ? Number(counts[1]) : 0
  failed += counts ? Number(counts[2]) : 1
}

const only = ['--only', 'simt,cuda', '--targets', 'kronroot_cuda_emulated']
if (values.part !== 'conformance') {
  for (let seed = 1; seed <= Number(values.seeds); seed++) {
    console.log(`C++ tests, order of the threads ${seed}`)
    count('scripts/test-native.mjs', only, { KRONROOT_SIMT_SEED: String(seed), KRONROOT_SIMT_KERNELS: parts.native })
  }
}
if (values.part !== 'native') {
  const files =
    positionals.length > 0
      ? positionals
      : ['test/conformance', 'test/device', 'test/optim/device', 'test/optim/second-order-device']
  count('scripts/test.mjs', files, {
    KRONROOT_TEST_DEVICE: 'cuda',
    KRONROOT_CUDA_PLUGIN: plugin,
    KRONROOT_SIMT_KERNELS: parts.conformance,
    KRONROOT_RANDOM_MATRICES: '1000',
  })
}
if (isFull) listKernels()
rmSync(kernelFolder, { recursive: true, force: true })
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 && passed > 0 ? 0 : 1)

/** Every kernel of the plugin with its launches in all processes; one that never ran is a failure. */
function listKernels() {
  const [native, conformance] = [launchesIn(parts.native), launchesIn(parts.conformance)]
  console.log('launches of every kernel: conformance suite, C++ tests')
  for (const [kernel, times] of [...conformance].sort()) {
    const columns = [times, native.get(kernel) ?? 0].map((each) => String(each).padStart(9))
    console.log(`${columns.join('')}  ${kernel}`)
  }
  const idle = [...conformance].filter(([kernel, times]) => times + (native.get(kernel) ?? 0) === 0)
  console.log(`${conformance.size - idle.length} of ${conformance.size} kernels ran`)
  for (const [kernel] of idle) console.log(`never ran: ${kernel}`)
  if (idle.length > 0 || conformance.size === 0) failed += 1
  else passed += 1
}

/** Kernel -> launches, of all processes that left a list in the folder. */
function launchesIn(folder) {
  const launches = new Map()
  for (const file of readdirSync(folder)) {
    for (const line of readFileSync(join(folder, file), 'utf8').split('\n')) {
      const entry = /^(\d+) (.+)$/.exec(line)
      if (entry) launches.set(entry[2], (launches.get(entry[2]) ?? 0) + Number(entry[1]))
    }
  }
  return launches
}
