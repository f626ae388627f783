// Packs what a machine with an NVIDIA GPU, but without Node and network, needs to test and time kronroot: node itself, the
// addon, the CUDA plugin, the library, the tests with vitest, the C++ tests linked with the plugin, the benches and the
// peers' scripts. bundle-gpu/kronroot-gpu.tar.xz and bundle-gpu/run.sh, which unpacks and runs it; together below 60 MiB.
// Usage: node scripts/bundle-gpu.mjs      (after npm run build and npm run build:cuda)
//   there: bash bundle-gpu/run.sh OUT [tests] [conformance] [sanitize] [bench]
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const folder = join(root, 'bundle-gpu')
const stage = join(folder, 'stage')
const plugin = join(root, 'plugins/libkronroot_cuda.so')
const addon = join(root, 'build/Release/kronroot.node')
for (const [file, made] of [
  [plugin, 'npm run build:cuda'],
  [addon, 'npm run build'],
]) {
  if (existsSync(file)) continue
  console.error(`${file} is missing: ${made}`)
  process.exit(1)
}

function run(command, args, options = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    ...options,
  })
  if (status === 0) return
  console.error(`${command} ${args.join(' ')}\n${stdout}${stderr}`.slice(0, 20000))
  process.exit(status ?? 1)
}

rmSync(folder, { recursive: true, force: true })
mkdirSync(join(stage, 'build/Release'), { recursive: true })
mkdirSync(join(stage, 'plugins'))
mkdirSync(join(stage, 'cpp'))
copyFileSync(process.execPath, join(stage, 'node'))
run('strip', [join(stage, 'node')])
copyFileSync(addon, join(stage, 'build/Release/kronroot.node'))
copyFileSync(plugin, join(stage, 'plugins/libkronroot_cuda.so'))
for (const file of ['package.json', 'binding.gyp', 'vitest.config.ts', 'tsconfig.json', 'lib', 'dist', 'bench/gpu']) {
  if (existsSync(join(root, file))) cpSync(join(root, file), join(stage, file), { recursive: true })
}
cpSync(join(root, 'test'), join(stage, 'test'), {
  recursive: true,
  filter: (source) => !/test\/(simt|amx|native|integrations|bench|cli)(\/|$)/.test(source),
})

// What a package needs at run time, the optional binaries of this platform among it.
const packages = new Set()
function take(name) {
  const from = join(root, 'node_modules', name)
  if (packages.has(name) || !existsSync(join(from, 'package.json'))) return
  packages.add(name)
  cpSync(from, join(stage, 'node_modules', name), { recursive: true })
  const { dependencies = {}, optionalDependencies = {} } = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8'))
  for (const each of Object.keys({ ...dependencies, ...optionalDependencies })) take(each)
}
take('vitest')

// The C++ tests of the backend, with the plugin in the emulator's place. Those that steer the emulator or hold
// kernels of their own stay here.
const { variables } = JSON.parse(readFileSync(join(root, 'native/sources.gypi'), 'utf8'))
const flags = ['-std=c++20', '-O2', '-ffp-contract=fast', '-march=x86-64-v2', '-fvisibility=hidden', '-pthread', '-I.']
const objects = []
const jobs = []
for (const source of [...variables.core_sources, ...variables.reference_sources]) {
  const object = join(folder, `${source.replaceAll('/', '-')}.o`)
  objects.push(object)
  jobs.push([...flags, '-c', source, '-o', object])
}
inParallel(jobs)
const tests = readdirSync(join(root, 'test/native/cuda'))
  .filter((file) => file.endsWith('.test.cpp'))
  .filter(
    (file) => !/["<](test\/simt|simt|native\/cuda)\//.test(readFileSync(join(root, 'test/native/cuda', file), 'utf8')),
  )
const cudaHeaders = existsSync('/usr/local/cuda/include') ? '/usr/local/cuda/include' : cudaInclude()
inParallel(
  tests.map((file) => [
    ...flags,
    `-I${cudaHeaders}`,
    join('test/native/cuda', file),
    ...objects,
    `-L${join(root, 'plugins')}`,
    '-l:libkronroot_cuda.so',
    '-Wl,-rpath,$ORIGIN/../plugins',
    '-o',
    join(stage, 'cpp', `cuda-${basename(file, '.test.cpp')}`),
  ]),
)

function cudaInclude() {
  const { stdout } = spawnSync('nvcc', ['--dryrun', '-c', '-x', 'cu', '/dev/null', '-o', '/dev/null'], {
    encoding: 'utf8',
  })
  return /-I"?([^"\s]+include)"?/.exec(stdout)?.[1] ?? '/usr/include'
}

/** g++ with each list of arguments, a few at a time. */
function inParallel(commands) {
  const script = commands.map((args) => `g++ ${args.map((arg) => `'${arg}'`).join(' ')}`).join('\n')
  run('xargs', ['-P', String(availableParallelism()), '-I{}', 'sh', '-c', '{}'], {
    input: script.replaceAll("'", "\\'"),
  })
}

copyFileSync(join(root, 'bench/gpu/run.sh'), join(folder, 'run.sh'))
chmodSync(join(folder, 'run.sh'), 0o755)
run('tar', ['-C', stage, '-cf', join(folder, 'kronroot-gpu.tar'), '.'])
run('xz', ['-T0', '-3', join(folder, 'kronroot-gpu.tar')])
for (const object of objects) rmSync(object)
rmSync(stage, { recursive: true })
const bytes = readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0)
console.log(`bundle-gpu: ${(bytes / 2 ** 20).toFixed(1)} MiB, ${tests.length} C++ tests, ${packages.size} packages`)
if (bytes > 60 * 2 ** 20) process.exit(1)
