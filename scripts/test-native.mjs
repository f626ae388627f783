// Builds the C++ tests with CMake into build-cmake/<preset> and runs them side by side. Prints `N passed, N failed` last.
// Usage: node scripts/test-native.mjs [--preset dev|asan-ubsan|tsan|aarch64] [--only cuda,simt] [--targets more,targets]
//   --only: the layers (folders of test/native) to build and run; --targets: what else to build.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    preset: { type: 'string', default: 'dev' },
    only: { type: 'string' },
    targets: { type: 'string' },
  },
})
const root = resolve(import.meta.dirname, '..')
const folder = resolve(root, 'build-cmake', values.preset)

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

const crosses = values.preset === 'aarch64'
const emulator = crosses ? ['qemu-aarch64'] : []
const tools = ['cmake', 'ninja', ...(crosses ? ['aarch64-linux-gnu-g++', ...emulator] : [])]
const packages = ['cmake', 'ninja-build', ...(crosses ? ['g++-aarch64-linux-gnu', 'qemu-user'] : [])]
const missing = tools.filter((tool) => spawnSync(tool, ['--version']).error)
if (missing.length > 0) {
  console.log(
    `C++ tests skipped: no ${missing.join(' and no ')} on the PATH (Debian: apt-get install ${packages.join(' ')})`,
  )
  console.log('0 passed, 0 failed')
  process.exit(0)
}
run('cmake', ['--preset', values.preset])
const layers = values.only?.split(',')
const isWanted = (name) => !layers || layers.some((layer) => name.startsWith(`${layer}-`))
const targets = [
  ...(layers
    ? readdirSync(resolve(root, 'test/native'), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.test.cpp'))
        .map((file) => file.replace(/\.test\.cpp$/, '').replaceAll('/', '-'))
        .filter(isWanted)
    : []),
  ...(values.targets?.split(',') ?? []),
]
run('cmake', ['--build', folder, ...(targets.length > 0 ? ['--target', ...targets] : [])])

/** Runs one binary; what it printed, and the counts of its last line. */
function runTest(name) {
  const [command, ...args] = [...emulator, resolve(folder, 'test', name)]
  return new Promise((resolved, rejected) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const started = Date.now()
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text))
    child.on('error', rejected)
    child.on('close', (status) => {
      const counts = /(\d+) passed, (\d+) failed\s*$/m.exec(output)
      resolved({ name, output, status, counts, seconds: (Date.now() - started) / 1000 })
    })
  })
}

const binaries = existsSync(resolve(folder, 'test')) ? readdirSync(resolve(folder, 'test')).sort() : []
const queue = binaries.filter((name) => {
  const stat = statSync(resolve(folder, 'test', name))
  return isWanted(name) && stat.isFile() && (stat.mode & 0o111) !== 0
})
let passed = 0
let failed = 0
async function work() {
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    const { output, status, counts, seconds } = await runTest(name)
    const crashed = !counts || (status !== 0 && Number(counts[2]) === 0)
    passed += counts ? Number(counts[1]) : 0
    failed += (counts ? Number(counts[2]) : 0) + (crashed ? 1 : 0)
    const bad = crashed || status !== 0
    const outcome = counts ? counts[0].trim() : `ended with status ${status}`
    console.log(`${bad ? 'FAILED' : 'ok'}  ${name}  ${outcome}  (${seconds.toFixed(1)} s)`)
    if (bad) console.log(output)
  }
}
await Promise.all(Array.from({ length: availableParallelism() }, work))
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 && passed > 0 ? 0 : 1)
