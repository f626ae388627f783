// The command line as people run it: compiled, in a process of its own.
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/**
 * Compiles lib/ into `folder` (not into dist/, which may be stale or in use) with a node_modules of links to `packages`
 * beside it, and nothing else: a package that is not named is not installed there.
 */
export function compileInto(folder: string, packages: readonly string[]): void {
  const tsc = createRequire(import.meta.url).resolve('typescript/lib/tsc.js')
  const project = ['-p', join(root, 'tsconfig.json'), '--outDir', join(folder, 'dist/esm'), '--declaration', 'false']
  const { status, stdout } = spawnSync(process.execPath, [tsc, ...project], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`tsc failed:\n${stdout}`)
  copyFileSync(join(root, 'lib/native/anchor.cjs'), join(folder, 'dist/esm/native/anchor.cjs'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
  for (const name of packages) {
    const link = join(folder, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), link)
  }
}

const addon = join(root, 'build/Release/kronroot.node')

/** Starts `kronroot` with these arguments; output is collected in `finished`. */
export function start(folder: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [join(folder, 'dist/esm/cli/kronroot.js'), ...args], {
    cwd: folder,
    env: { ...process.env, KRONROOT_BINARY: process.env.KRONROOT_BINARY ?? addon, ...environment },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text))
  const finished = new Promise<Finished>((done) => child.on('close', (code) => done({ code, stdout, stderr })))
  return { child, finished }
}

export function kronroot(folder: string, args: readonly string[], environment?: NodeJS.ProcessEnv): Promise<Finished> {
  return start(folder, args, environment).finished
}
