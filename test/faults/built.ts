// The compiled package in a folder of its own, as it is installed, without the native module beside it.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { addonFile } from '../../lib/native/addon.js'

const root = resolve(import.meta.dirname, '../..')

export interface BuiltPackage {
  readonly folder: string
  /** Entry points of the two builds. */
  readonly esm: string
  readonly cjs: string
  remove(): void
}

export function builtPackage(): BuiltPackage {
  const folder = mkdtempSync(join(tmpdir(), 'kronroot-built-'))
  for (const file of ['package.json', 'binding.gyp']) copyFileSync(join(root, file), join(folder, file))
  const { status, stdout } = spawnSync(process.execPath, ['scripts/build-ts.mjs', '--out', join(folder, 'dist')], {
    cwd: root,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`lib/ does not compile:\n${stdout}`)
  return {
    folder,
    esm: join(folder, 'dist/esm/index.js'),
    cjs: join(folder, 'dist/cjs/index.js'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

export interface Finished {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `code` in a node of its own; `kind` says whether it is an ES module. `native: false` hides the addon. */
export function runNode(
  kind: 'module' | 'commonjs',
  code: string,
  options: { readonly flags?: readonly string[]; readonly native?: boolean; readonly timeout?: number } = {},
): Finished {
  const { flags = [], native = true, timeout = 60_000 } = options
  const { KRONROOT_BINARY: _, ...env } = process.env
  return spawnSync(process.execPath, [...flags, `--input-type=${kind}`, '--eval', code], {
    env: native ? { ...env, KRONROOT_BINARY: addonFile() } : env,
    encoding: 'utf8',
    timeout,
  })
}
