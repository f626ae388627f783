import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RunFolder, runName } from '../../lib/train/run-folder.js'
import { UsageError } from '../../lib/train/usage-error.js'

describe('the folder of a run', () => {
  let parent: string
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'kronroot-run-'))
  })
  afterEach(() => rmSync(parent, { recursive: true }))

  test('is marked incomplete until its summary is there', () => {
    const folder = new RunFolder(join(parent, 'a/b'), 'run')
    folder.writeJson('config.json', { steps: 3 })
    folder.metric({ step: 1 })
    folder.metric({ step: 2 })
    expect(readdirSync(folder.path).sort()).toEqual(['INCOMPLETE', 'config.json', 'metrics.jsonl'])
    const lines = readFileSync(join(folder.path, 'metrics.jsonl'), 'utf8').trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line))).toEqual([{ step: 1 }, { step: 2 }])

    folder.complete('summary.json', { target: 1 })
    expect(readdirSync(folder.path).sort()).toEqual(['config.json', 'metrics.jsonl', 'summary.json'])
    expect(JSON.parse(readFileSync(join(folder.path, 'summary.json'), 'utf8'))).toEqual({ target: 1 })
  })

  test('never takes the folder of another run', () => {
    const names = Array.from({ length: 3 }, () => basename(new RunFolder(parent, 'run').path))
    expect(names).toEqual(['run', 'run-2', 'run-3'])
  })

  test.runIf(process.platform === 'linux')('a file system that takes no folders is refused, not waited for', () => {
    expect(() => new RunFolder('/proc/kronroot/out', 'run')).toThrow(/^cannot write to the folder .*ENOENT/)
  })

  test('a place that cannot be written is refused in one line', () => {
    const file = join(parent, 'file')
    writeFileSync(file, '')
    expect(() => new RunFolder(join(file, 'out'), 'run')).toThrow(UsageError)
    expect(() => new RunFolder(join(file, 'out'), 'run')).toThrow(/^cannot write to the folder .*file\/out: ENOTDIR/)
    expect(existsSync(join(parent, 'out'))).toBe(false)
  })

  test('names sort by time and hold no character that a file system forbids', () => {
    const name = runName('compare', new Date('2026-11-20T22:30:05.123Z'))
    expect(name).toBe('compare-2026-11-20T22-30-05')
  })
})
