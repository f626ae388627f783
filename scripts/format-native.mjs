// clang-format over all C++; --check only reports.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'

const check = process.argv.includes('--check')
const sources = ['native', 'test/native', 'test/simt', 'bench/peers/native']
  .flatMap((folder) => readdirSync(folder, { recursive: true }).map((file) => `${folder}/${file}`))
  .filter((file) => /\.(c|cpp|h|hpp|inl|cu|cuh)$/.test(file))
const { status, error } = spawnSync('clang-format', [...(check ? ['--dry-run', '--Werror'] : ['-i']), ...sources], {
  stdio: 'inherit',
})
if (error) {
  console.error('clang-format is not installed (Debian: apt-get install clang-format)')
  process.exit(1)
}
process.exit(status ?? 1)
