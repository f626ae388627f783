// Compiles bench/ and, on demand, the bench addon with the OpenBLAS peer, into build-bench/.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const out = resolve(root, 'build-bench')
const require = createRequire(import.meta.url)
const quiet = { cwd: root, stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' }

/** Compiles bench/ and loads one of its modules. */
export async function loadBench(file) {
  compile()
  return import(pathToFileURL(resolve(out, 'js/bench', file)).href)
}

let compiled = false

function compile() {
  if (compiled) return
  compiled = true
  const tsc = require.resolve('typescript/lib/tsc.js')
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', 'bench/tsconfig.json'], {
    cwd: root,
    encoding: 'utf8',
  })
  if (status !== 0) {
    console.error(stdout)
    process.exit(1)
  }
  cpSync(resolve(root, 'lib/native/anchor.cjs'), resolve(out, 'js/lib/native/anchor.cjs'))
}

/** The bench addon, built when absent or older than its sources; undefined where it cannot be built. */
export function buildNative() {
  const sources = resolve(root, 'bench/peers/native')
  const folder = resolve(out, 'native')
  const addon = resolve(folder, 'build/Release/kronroot_bench.node')
  const newest = Math.max(...readdirSync(sources).map((file) => statSync(resolve(sources, file)).mtimeMs))
  if (existsSync(addon) && statSync(addon).mtimeMs > newest) return addon
  mkdirSync(folder, { recursive: true })
  cpSync(sources, folder, { recursive: true, preserveTimestamps: true })
  console.error('building the bench addon (once)')
  const prefix = resolve(process.execPath, '../..')
  const nodedir = existsSync(resolve(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : []
  const gyp = require.resolve('node-gyp/bin/node-gyp.js')
  const { status, stderr } = spawnSync(process.execPath, [gyp, 'rebuild', ...nodedir], { ...quiet, cwd: folder })
  if (status === 0) return addon
  console.error(stderr)
  return undefined
}
