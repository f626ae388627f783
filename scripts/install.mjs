// Builds the CPU addon with node-gyp, with the headers that lie beside the node binary where there are some, so
// that no network is needed there. npm runs this on install; `npm rebuild kronroot` runs it again.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')

/** The node-gyp of this project, else the one npm brings, else null for the one on the PATH. */
function nodeGyp() {
  try {
    return createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js')
  } catch {
    return process.env.npm_config_node_gyp ?? null
  }
}

const prefix = resolve(process.execPath, '../..')
// From npm always from scratch, so that `npm rebuild kronroot` mends whatever there is; by hand only what changed.
const incremental = process.env.npm_lifecycle_event !== 'install' && existsSync(resolve(root, 'build/Makefile'))
const args = [incremental ? 'build' : 'rebuild', '--jobs=max']
if (existsSync(resolve(prefix, 'include/node/node_api.h'))) args.push(`--nodedir=${prefix}`)

const gyp = nodeGyp()
const run = gyp
  ? spawnSync(process.execPath, [gyp, ...args], { cwd: root, stdio: 'inherit' })
  : spawnSync('node-gyp', args, { cwd: root, stdio: 'inherit' })
if (run.error || run.status !== 0) {
  console.error('kronroot: the native addon was not built. It needs python3, make and a C++20 compiler (g++ >= 11).')
  process.exit(run.status ?? 1)
}
