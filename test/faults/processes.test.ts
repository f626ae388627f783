// What only a process of its own can show: small heaps, exits and workers with work in flight.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type BuiltPackage, builtPackage, runNode } from './built.js'

let built: BuiltPackage
beforeAll(() => {
  built = builtPackage()
  writeFileSync(workerFile(), workerSource())
})
afterAll(() => built.remove())

const kronroot = () => `import * as kronroot from ${JSON.stringify(built.esm)};\n`

const workerFile = () => join(built.folder, 'worker.cjs')

/** A worker that submits work and says so, then says when each answered; with the argument 'exit' it exits at once. */
const workerSource = () => `
  const { parentPort } = require('node:worker_threads')
  const kronroot = require(${JSON.stringify(built.cjs)})
  const device = kronroot.open('cpu')
  const a = device.tensor(Float32Array.from({ length: 60 * 64 * 64 }, (_, i) => Math.sin(i)), [60, 64, 64])
  const c = kronroot.gram(a)
  for (let i = 0; i < 6; i++) kronroot.eigh.async(c).then(() => parentPort.postMessage('answered'))
  parentPort.postMessage('submitted')
  if (process.argv[2] === 'exit') process.exit(9)`

/** Eigendecompositions for seconds: always in flight when something else happens. */
const heavy = `
  const device = kronroot.open('cpu')
  const a = device.tensor(Float32Array.from({ length: 200 * 128 * 128 }, (_, i) => Math.sin(i)), [200, 128, 128])
  const c = kronroot.gram(a)`

describe('10,000 dropped tensors of 256 KB under a heap of 64 MB', () => {
  const flags = ['--max-old-space-size=64']
  const measured = `
    let peak = 0
    const start = process.memoryUsage.rss()
    const look = () => { peak = Math.max(peak, process.memoryUsage.rss() - start) }
    const device = kronroot.open('cpu')
    const drop = () => device.empty([256, 256])`

  test.each([
    [
      'with turns of the event loop',
      'for (let i = 0; i < 10000; i++) { drop(); if (i % 50 === 0) { look(); await new Promise(setImmediate) } }',
    ],
    ['in one synchronous loop', 'for (let i = 0; i < 10000; i++) { drop(); if (i % 50 === 0) look() }'],
    [
      'as results of ops',
      'const x = device.empty([256, 1]); for (let i = 0; i < 10000; i++) { kronroot.gram(x); if (i % 50 === 0) look() }',
    ],
  ])('%s', (_name, loop) => {
    const { stdout, stderr, status } = runNode(
      'module',
      `${kronroot() + measured}\n${loop}\nconsole.log(peak / 2 ** 20, device.memory().bytes / 2 ** 20)`,
      { flags },
    )
    expect(status, stderr).toBe(0)
    const [peak, held] = stdout.split(' ').map(Number)
    // 2.5 GB pass through; what lies around between two collections is bounded.
    expect(peak).toBeLessThan(250)
    expect(held).toBeLessThan(250)
  })

  test('500,000 disposed ones leave nothing behind for the event loop', () => {
    const { stdout, stderr, status } = runNode(
      'module',
      `${kronroot() + measured}
      for (let i = 0; i < 500000; i++) { device.empty([2, 2]).dispose(); if (i % 1000 === 0) look() }
      console.log(peak / 2 ** 20)`,
      { flags },
    )
    expect(status, stderr).toBe(0)
    // A finalizer of each would hold 140 MB.
    expect(Number(stdout)).toBeLessThan(50)
  })

  test('100,000 tiny ones too', () => {
    const { stdout, stderr, status } = runNode(
      'module',
      `${kronroot() + measured}
      for (let i = 0; i < 100000; i++) { device.empty([2, 2]); if (i % 1000 === 0) { look(); await new Promise(setImmediate) } }
      console.log(peak / 2 ** 20)`,
      { flags },
    )
    expect(status, stderr).toBe(0)
    expect(Number(stdout)).toBeLessThan(150)
  })
})

describe('ends of the process', () => {
  test('process.exit with jobs running and queued', () => {
    const code = `${kronroot() + heavy}
      for (let i = 0; i < 20; i++) kronroot.eigh.async(c).catch(() => {})
      setTimeout(() => process.exit(7), 30)`
    for (let i = 0; i < 5; i++) {
      const { status, signal, stderr } = runNode('module', code)
      expect(stderr).toBe('')
      expect([status, signal]).toEqual([7, null])
    }
  })

  test('process.exit in the very tick of the submission', () => {
    const { status, signal } = runNode('module', `${kronroot() + heavy}\nkronroot.eigh.async(c); process.exit(3)`)
    expect([status, signal]).toEqual([3, null])
  })

  test('an uncaught error with jobs in flight', () => {
    const code = `${kronroot() + heavy}\nkronroot.eigh.async(c); setTimeout(() => { throw new Error('on purpose') }, 20)`
    const { status, signal, stderr } = runNode('module', code)
    expect(stderr).toContain('on purpose')
    expect([status, signal]).toEqual([1, null])
  })

  test('a pending job keeps the process alive until it has answered; an idle addon does not', () => {
    const code = `${kronroot()}
      const device = kronroot.open('cpu')
      const a = device.tensor(Float32Array.from({ length: 64 * 64 }, (_, i) => Math.sin(i)), [64, 64])
      kronroot.gram.async(a).then(() => console.log('answered'))`
    const { stdout, status } = runNode('module', code, { timeout: 20_000 })
    expect([stdout, status]).toEqual(['answered\n', 0])
  })
})

describe('workers', () => {
  const main = (body: string) => `${kronroot()}
    import { Worker } from 'node:worker_threads'
    import { setTimeout as sleep } from 'node:timers/promises'
    import { once } from 'node:events'
    const start = (...argv) => new Worker(${JSON.stringify(workerFile())}, { argv })
    ${body}`

  test('100 created and terminated with work in flight', () => {
    const code = main(`
      let failed = 0
      const rss = []
      for (let round = 0; round < 25; round++) {
        await Promise.all([0, 1, 2, 3].map(async (lane) => {
          const worker = start()
          worker.on('error', (error) => { failed++; console.error(error) })
          await once(worker, 'message')
          await sleep((round * 7 + lane * 13) % 40)
          await worker.terminate()
        }))
        rss.push(process.memoryUsage.rss() / 2 ** 20)
      }
      const device = kronroot.open('cpu')
      const still = kronroot.matmul(device.tensor([2], [1, 1]), device.tensor([3], [1, 1])).data()[0]
      console.log(JSON.stringify({ failed, still, growth: rss.at(-1) - rss[9] }))`)
    const { stdout, stderr, status, signal } = runNode('module', code, { timeout: 110_000 })
    expect([status, signal], stderr).toEqual([0, null])
    const { failed, still, growth } = JSON.parse(stdout)
    expect(failed).toBe(0)
    expect(still).toBe(6)
    // 60 more workers, each with about 5 MB of tensors: nothing of them stays.
    expect(growth).toBeLessThan(60)
  })

  test('terminated at once, before and while the addon loads', () => {
    const code = main(`
      for (let i = 0; i < 20; i++) {
        const worker = start()
        await sleep(i)
        await worker.terminate()
      }
      console.log('alive')`)
    const { stdout, stderr, status } = runNode('module', code)
    expect([stdout, status], stderr).toEqual(['alive\n', 0])
  })

  test('process.exit of the main thread while workers compute', () => {
    const code = main(`
      const workers = [0, 1, 2].map(() => start())
      await Promise.all(workers.map((worker) => once(worker, 'message')))
      process.exit(5)`)
    const { stderr, status, signal } = runNode('module', code)
    expect([status, signal], stderr).toEqual([5, null])
  })

  test('process.exit of a worker ends the worker alone', () => {
    const code = main(`
      const worker = start('exit')
      const [exitCode] = await once(worker, 'exit')
      console.log(exitCode)`)
    expect(runNode('module', code).stdout).toBe('9\n')
  })

  test('several answer side by side, and tensors do not travel', () => {
    const code = main(`
      const workers = [0, 1, 2].map(() => start())
      let answers = 0
      await Promise.all(workers.map((worker) => {
        worker.on('message', (message) => { if (message === 'answered') answers++ })
        return once(worker, 'exit')
      }))
      const device = kronroot.open('cpu')
      const clone = structuredClone({ ...device.empty([2, 2]), device: null })
      try { kronroot.gram(clone) } catch (error) { console.log(answers, error.code) }`)
    const { stdout, stderr } = runNode('module', code)
    expect(stdout, stderr).toBe('18 ERR_ARGUMENT\n')
  })
})
