// What npm would publish, checked by publint and arethetypeswrong.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'kronroot-pack-'))

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (error) throw error
  return status === 0
}

let clean = run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder])
const tarball = join(folder, readdirSync(folder)[0] ?? '')
clean = run(process.execPath, ['node_modules/publint/src/cli.js', 'run', tarball, '--strict']) && clean
clean = run(process.execPath, ['node_modules/@arethetypeswrong/cli/dist/index.js', tarball]) && clean
rmSync(folder, { recursive: true, force: true })
process.exit(clean ? 0 : 1)
