// Both builds of the package, run by node itself; and what is said where the native module is missing.
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addonFile } from '../../lib/native/addon.js'
import { type BuiltPackage, builtPackage, runNode } from '../faults/built.js'

let built: BuiltPackage
beforeAll(() => {
  built = builtPackage()
})
afterAll(() => built.remove())

const product = `
  const device = kronroot.open('cpu')
  const a = device.tensor([1, 2, 3, 4], [2, 2])
  const sync = [...kronroot.matmul(a, a).data()].join()
  kronroot.gram.async(a).then((c) => console.log(sync, [...c.data()].join()))`

/** Prints what open() throws. */
const refusal = `
  try { kronroot.open(); console.log('opened') } catch (error) {
    console.log(error instanceof kronroot.KronrootError, error.code, error.message)
  }`

const load = {
  module: () => `import * as kronroot from ${JSON.stringify(built.esm)};`,
  commonjs: () => `const kronroot = require(${JSON.stringify(built.cjs)});`,
}

describe.each(['module', 'commonjs'] as const)('as %s', (kind) => {
  test('works', () => {
    const { stdout, stderr, status } = runNode(kind, load[kind]() + product)
    expect(stderr).toBe('')
    expect(stdout).toBe('7,10,15,22 5,11,11,25\n')
    expect(status).toBe(0)
  })

  test('without the native module it can be imported, and open() tells the remedy', () => {
    const { stdout, status } = runNode(kind, load[kind]() + refusal, { native: false })
    expect(status).toBe(0)
    expect(stdout).toMatch(/^true ERR_ADDON_MISSING .*build\/Release\/kronroot\.node/)
    expect(stdout).toContain(built.folder)
    expect(stdout).toContain('npm rebuild kronroot')
    expect(stdout).toContain('python3, make')
    expect(stdout).toContain('g++')
  })
})

test('a native module that cannot be loaded tells why, and the remedy', () => {
  const release = join(built.folder, 'build/Release')
  mkdirSync(release, { recursive: true })
  writeFileSync(join(release, 'kronroot.node'), 'not a shared object')
  const { stdout } = runNode('module', load.module() + refusal, { native: false })
  expect(stdout).toMatch(/^true ERR_ADDON_MISSING .*could not be loaded: .*(invalid ELF header|file too short)/)
  expect(stdout).toContain('npm rebuild kronroot')
})

test('the native module is found in build/Release of the package, from either build', () => {
  cpSync(addonFile(), join(built.folder, 'build/Release/kronroot.node'))
  for (const kind of ['module', 'commonjs'] as const) {
    expect(runNode(kind, load[kind]() + product, { native: false }).stdout).toBe('7,10,15,22 5,11,11,25\n')
  }
})

test('both builds in one process share the native module', () => {
  const code = `${load.module()}
    import { createRequire } from 'node:module'
    const other = createRequire(${JSON.stringify(built.cjs)})(${JSON.stringify(built.cjs)})
    const [one, two] = [kronroot.open('cpu'), other.open('cpu')]
    const a = one.tensor([2], [1, 1]), b = two.tensor([3], [1, 1])
    try { kronroot.matmul(a, b); console.log('mixed') } catch (error) { console.log(error.code) }
    console.log(kronroot.matmul(a, a).data()[0], (await other.gram.async(b)).data()[0])`
  expect(runNode('module', code).stdout).toBe('ERR_ARGUMENT\n4 9\n')
})
