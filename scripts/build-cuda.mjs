// Builds the CUDA plugin, plugins/libkronroot_cuda.so, with CMake and nvcc 13.0 or newer, and prints what the compiler said
// of every kernel: registers, shared memory, spills. The same table goes to
// build-cmake/cuda-<architectures>/kernels.json.
// Usage: node scripts/build-cuda.mjs [--architectures "80-real;90a-real;100-real;120-real;120-virtual"] [--out plugins]
//        node scripts/build-cuda.mjs --shared-ptx [--out plugins]
//   --shared-ptx: machine code for 80, 90, 100 and 120 from the PTX of 80, which is made once: half the time. To check that
//   every architecture compiles.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    architectures: { type: 'string', default: '80-real;90a-real;100-real;120-real;120-virtual' },
    'shared-ptx': { type: 'boolean', default: false },
    out: { type: 'string', default: 'plugins' },
  },
})
const root = resolve(import.meta.dirname, '..')
const sharesPtx = values['shared-ptx']
const label = sharesPtx ? 'shared-ptx' : values.architectures.replaceAll(/[^\w-]+/g, '_')
const folder = resolve(root, 'build-cmake', `cuda-${label}`)
const log = resolve(folder, 'compiler.log')

const missing = ['nvcc', 'cmake', 'ninja'].filter((tool) => spawnSync(tool, ['--version']).error)
if (missing.length > 0) {
  console.log(
    `CUDA plugin not built: no ${missing.join(' and no ')} on the PATH (CUDA Toolkit 13.0, cmake, ninja-build)`,
  )
  process.exit(missing.includes('nvcc') ? 3 : 1)
}

function run(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 30 })
  if (status !== 0) {
    console.error(`${stdout}${stderr}`.slice(-20000))
    process.exit(status ?? 1)
  }
  return stdout + stderr
}

const codes = ['sm_80', 'sm_90', 'sm_100', 'sm_120', 'compute_80']
const architectures = sharesPtx
  ? [
      '-DCMAKE_CUDA_ARCHITECTURES=OFF',
      `-DCMAKE_CUDA_FLAGS=${codes.map((code) => `-gencode arch=compute_80,code=${code}`).join(' ')}`,
    ]
  : [`-DCMAKE_CUDA_ARCHITECTURES=${values.architectures}`]
run('cmake', ['-G', 'Ninja', '-S', 'native/cuda', '-B', folder, '-DCMAKE_BUILD_TYPE=Release', ...architectures])
const built = resolve(folder, 'libkronroot_cuda.so')
// ninja prints a file's output when it is compiled; what it printed before stays in the log.
const output = run('cmake', ['--build', folder, '-j', String(availableParallelism())])
const before = existsSync(log) ? readFileSync(log, 'utf8') : ''
writeFileSync(log, before + output)

/** { kernel, architecture } -> numbers, from the -Xptxas -v lines; of a kernel compiled twice the last counts. */
function table(text) {
  const kernels = new Map()
  let current
  for (const line of text.split('\n')) {
    const entry = /Compiling entry function '(\S+)' for '(\S+)'/.exec(line)
    if (entry) {
      current = { symbol: entry[1], architecture: entry[2], registers: 0, spillBytes: 0, stackBytes: 0 }
      kernels.set(`${entry[1]} ${entry[2]}`, current)
    }
    if (!current) continue
    const frame = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line)
    if (frame) {
      current.stackBytes = Number(frame[1])
      current.spillBytes = Number(frame[2]) + Number(frame[3])
    }
    const used = /Used (\d+) registers/.exec(line)
    if (used) current.registers = Number(used[1])
  }
  return [...kernels.values()]
}

/** kronroot::cuda::name<float> of a mangled symbol, without the unnamed namespaces and the parameters. */
function readable(symbols) {
  const { stdout } = spawnSync('c++filt', [], { input: symbols.join('\n'), encoding: 'utf8', maxBuffer: 1 << 28 })
  return stdout.split('\n').map((name) =>
    name
      .replaceAll(/\(anonymous namespace\)::|_GLOBAL__N__\w+::/g, '')
      .replace(/^void /, '')
      .replace(/\(.*$/, ''),
  )
}

const rows = table(before + output)
readable(rows.map((row) => row.symbol)).forEach((name, i) => {
  if (rows[i]) rows[i].kernel = name
})
rows.sort((x, y) => x.kernel.localeCompare(y.kernel) || x.architecture.localeCompare(y.architecture))
writeFileSync(resolve(folder, 'kernels.json'), `${JSON.stringify(rows, null, 1)}\n`)

const byKernel = Map.groupBy ? Map.groupBy(rows, (row) => row.kernel) : grouped(rows)
function grouped(all) {
  const groups = new Map()
  for (const row of all) groups.set(row.kernel, [...(groups.get(row.kernel) ?? []), row])
  return groups
}
console.log('registers and bytes spilled, by architecture')
for (const [kernel, each] of byKernel) {
  console.log(
    `  ${kernel}: ${each.map((row) => `${row.architecture} ${row.registers}${row.spillBytes ? ` (${row.spillBytes} B spilled)` : ''}`).join(', ')}`,
  )
}

const out = resolve(root, values.out)
mkdirSync(out, { recursive: true })
const plugin = resolve(out, 'libkronroot_cuda.so')
rmSync(plugin, { force: true })
copyFileSync(built, plugin)
const spilling = rows.filter((row) => row.spillBytes > 0).length
console.log(
  `${plugin}: ${(statSync(plugin).size / 1e6).toFixed(2)} MB, ${byKernel.size} kernels, ${spilling} of ${rows.length} compilations spill`,
)
