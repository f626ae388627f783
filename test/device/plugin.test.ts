// The plugin's loader: every way in which there is no CUDA device says what is missing.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { open } from '../../lib/index.js'
import { expectRefused } from '../refusal.js'

const folder = mkdtempSync(join(tmpdir(), 'kronroot-plugin-'))
const given = process.env.KRONROOT_CUDA_PLUGIN
const file = (name: string): string => join(folder, `${name}.so`)

/** A shared library of this C text; the compiler is that of the addon. */
function library(name: string, text: string): void {
  const source = join(folder, `${name}.c`)
  writeFileSync(source, text)
  const { status, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-o', file(name), source], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
}

const table = (abi: number, size: number): string =>
  `static unsigned table[100] = {${abi}, ${size}}; void* kr_cuda_backend(unsigned abi) { return table; }`

beforeAll(() => {
  writeFileSync(file('garbage'), 'no library')
  library('stranger', 'int kr_other = 1;')
  library('refusing', 'void* kr_cuda_backend(unsigned abi) { return 0; }')
  library('newer', table(3, 400))
  library('older', table(2, 200))
})

afterAll(() => {
  rmSync(folder, { recursive: true })
  if (given === undefined) delete process.env.KRONROOT_CUDA_PLUGIN
  else process.env.KRONROOT_CUDA_PLUGIN = given
})

describe.each([
  [
    'absent',
    /^open: there is no CUDA plugin at \S+absent\.so; unset KRONROOT_CUDA_PLUGIN, which names it, or correct it$/,
  ],
  ['garbage', /^open: the CUDA plugin \S+garbage\.so cannot be loaded: .*(file too short|invalid ELF).*build:cuda/],
  ['stranger', /stranger\.so is none: it does not export kr_cuda_backend; build it anew with `npm run build:cuda`$/],
  ['refusing', /refusing\.so does not serve version 2 of the ABI; build it anew/],
  ['newer', /newer\.so has version 3 of the ABI, this addon has version 2; build it anew/],
  ['older', /older\.so is older than this addon: version 2 of the ABI with a table of 200 bytes, not \d{3}; build it/],
] as const)('%s plugin', (name, message) => {
  test('is ERR_NO_DEVICE and says what to do', () => {
    process.env.KRONROOT_CUDA_PLUGIN = file(name)
    for (const device of ['cuda', 'cuda:0', 'cuda:17'] as const)
      expectRefused(() => open(device), 'ERR_NO_DEVICE', message)
  })

  test('auto takes the CPU and gives that as the reason', () => {
    process.env.KRONROOT_CUDA_PLUGIN = file(name)
    const device = open()
    expect(device.kind).toBe('cpu')
    expect(device.stream).toBeUndefined()
    expect(`open: ${device.reason.replace(/^auto chose cpu: /, '')}`).toMatch(message)
    device.dispose()
  })
})

test('no plugin in the package: how to build it', () => {
  process.env.KRONROOT_CUDA_PLUGIN = ''
  let message = ''
  try {
    open('cuda').dispose()
  } catch (error) {
    message = (error as Error).message
  }
  // A machine with a plugin and a GPU has nothing to refuse; one with a plugin alone tells of driver or device.
  if (message.includes('no CUDA plugin')) {
    expect(message).toMatch(/plugins\/libkronroot_cuda\.so; build it with `npm run build:cuda`, which needs nvcc/)
  } else {
    expect(message).toMatch(/^$|driver|device|CUDA runtime/)
  }
})
