import { describe, expect, test } from 'vitest'
import { Pace } from '../../lib/train/pace.js'
import { duration, Progress, progressLine } from '../../lib/train/progress.js'

const state = { label: 'Muon, seed 1', step: 20, steps: 700, loss: 99.123, samplesPerSecond: 8123.4, secondsLeft: 75 }

const controlIntroducer = '\x1b'
const withoutColours = (text: string) => text.replaceAll(new RegExp(`${controlIntroducer}\\[\\d+m`, 'g'), '')

function capture(output: { isTTY?: boolean; columns?: number }, environment: NodeJS.ProcessEnv = {}) {
  let written = ''
  let now = 0
  const progress = new Progress(
    { ...output, write: (text: string) => (written += text) },
    { environment, clock: () => now, interval: 5000 },
  )
  return { progress, written: () => written, wait: (ms: number) => (now += ms) }
}

describe('the progress line', () => {
  test('names step, loss, samples a second and the time left', () => {
    expect(progressLine(state)).toBe('Muon, seed 1     step  20/700  loss 99.12  8,123 samples/s  1:15 left')
    expect([0, 59.6, 3600].map(duration)).toEqual(['0:00', '1:00', '60:00'])
  })

  test('not a terminal: one plain line an interval', () => {
    const { progress, written, wait } = capture({})
    for (let step = 0; step < 11; step++) {
      progress.show({ ...state, step })
      wait(1000)
    }
    progress.clear()
    const lines = written().trimEnd().split('\n')
    expect(lines.map((line) => /step +(\d+)/.exec(line)?.[1])).toEqual(['0', '5', '10'])
    for (const control of ['\r', controlIntroducer]) expect(written()).not.toContain(control)
  })

  test('a terminal: one line, rewritten, never wider than the terminal, and removed at the end', () => {
    const { progress, written, wait } = capture({ isTTY: true, columns: 40 })
    progress.show(state)
    wait(1000)
    progress.show({ ...state, step: 21 })
    progress.clear()
    expect(written()).not.toContain('\n')
    const lines = written().split('\r\x1b[2K').slice(1)
    expect(lines).toHaveLength(3)
    expect(lines[2]).toBe('')
    for (const line of lines) expect(withoutColours(line).length).toBeLessThan(40)
  })

  test('NO_COLOR takes the colours away, a dumb terminal gets plain lines', () => {
    const coloured = capture({ isTTY: true })
    const plain = capture({ isTTY: true }, { NO_COLOR: '1' })
    const dumb = capture({ isTTY: true }, { TERM: 'dumb' })
    for (const { progress } of [coloured, plain, dumb]) progress.show(state)
    expect(coloured.written()).not.toBe(withoutColours(coloured.written()))
    expect(plain.written()).toBe(withoutColours(plain.written()))
    expect(dumb.written()).toBe(`${progressLine(state)}\n`)
  })
})

test('the time left is that of the remaining steps at the pace so far', () => {
  let now = 0
  const pace = new Pace(100, () => now)
  expect(pace.secondsLeft()).toBe(0)
  now = 5000
  pace.advance(20)
  expect(pace.secondsLeft()).toBe(20)
  pace.advance(80)
  expect(pace.secondsLeft()).toBe(0)
})
