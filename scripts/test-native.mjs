// Builds the C++ tests with CMake into build-cmake/<preset> and runs them. Prints `N passed, N failed` last.
// Usage: node scripts/test-native.mjs [--preset dev|asan-ubsan|tsan|aarch64]
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { preset: { type: 'string', default: 'dev' } } })
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
run('cmake', ['--build', folder])

let passed = 0
let failed = 0
const binaries = existsSync(resolve(folder, 'test')) ? readdirSync(resolve(folder, 'test')) : []
for (const name of binaries.sort()) {
  const path = resolve(folder, 'test', name)
  const stat = statSync(path)
  if (!stat.isFile() || (stat.mode & 0o111) === 0) continue
  const [command, ...args] = [...emulator, path]
  const { stdout, stderr, status } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 })
  const counts = /(\d+) passed, (\d+) failed\s*$/.exec(stdout)
  const crashed = !counts || (status !== 0 && Number(counts[2]) === 0)
  passed += counts ? Number(counts[1]) : 0
  failed += (counts ? Number(counts[2]) : 0) + (crashed ? 1 : 0)
  const bad = crashed || status !== 0
  console.log(`${bad ? 'FAILED' : 'ok'}  ${name}${counts ? `  ${counts[0].trim()}` : `  ended with status ${status}`}`)
  if (bad) console.log(`${stdout}${stderr}`)
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 && passed > 0 ? 0 : 1)
