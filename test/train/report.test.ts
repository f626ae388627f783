import { beforeAll, describe, expect, test } from 'vitest'
import { type Entry, summarize } from '../../lib/train/comparison.js'
import { describeMachine } from '../../lib/train/machine.js'
import { type DrawChart, loadCharts } from '../../lib/train/report/charts.js'
import { type ReportInput, reportHtml } from '../../lib/train/report/report.js'
import { styleSheet } from '../../lib/train/report/style.js'

const runOf = (seed: number, final: number) => ({
  learningRate: 0.01,
  seed,
  evaluations: [544, 200, final].map((loss, index) => ({ step: 10 * index, seconds: index, loss })),
  millisecondsPerStep: { gradient: 20, statistics: 3, refresh: 5, apply: 8 },
  failures: 0,
  divergedAt: null,
})
const entries: Entry[] = [
  { name: 'adamw', runs: [runOf(1, 100), runOf(2, 110)] },
  { name: 'shampoo', runs: [runOf(1, 60), runOf(2, 70)] },
]

function input(): ReportInput {
  return {
    result: summarize(entries, 20),
    entries,
    config: {
      schemaVersion: 1,
      started: '2026-11-20T22:30:05.123Z',
      widths: [784, 32, 784],
      images: 60_000,
      evaluationImages: 2000,
      batch: 250,
      steps: 20,
      evaluateEvery: 10,
      seeds: [1, 2],
      schedule: 'linear',
      optimizers: entries.map(({ name }) => ({ name, title: name, options: '<b> & "c"', learningRate: 0.01 })),
      tuning: {
        command: 'npm start -- --sweep',
        date: '2026-11-20',
        batch: 250,
        steps: 20,
        seed: 0,
        grid: [0.01, 0.02],
      },
      machine: describeMachine('cpu'),
    },
  }
}

describe('the report', () => {
  let draw: DrawChart
  let html: string
  beforeAll(async () => {
    draw = await loadCharts()
    html = reportHtml(input(), draw)
  })

  test('needs no network and no script', () => {
    expect(html).not.toMatch(/<script|<link|<iframe|<img|https?:|@import|\bon\w+=|url\((?!#)/i)
  })

  test('has three charts, each for wide and for narrow pages, with units on the axes', () => {
    expect(html.match(/<div class="wide"><svg/g)).toHaveLength(3)
    expect(html.match(/<div class="narrow"><svg/g)).toHaveLength(3)
    for (const title of ['training loss, nats per image', 'seconds of training', 'milliseconds per step', '>step<']) {
      expect(html).toContain(title)
    }
  })

  test('identifiers of the charts are unique in the page', () => {
    const identifiers = [...html.matchAll(/\bid="([^"]+)"/g)].map(([, id]) => id)
    expect(new Set(identifiers).size).toBe(identifiers.length)
  })

  test('charts have no colour of their own: all are variables of the style sheet, each with a light and a dark value', () => {
    const svgs = [...html.matchAll(/<svg[\s\S]*?<\/svg>/g)]
      .map(([svg]) => svg)
      .join('')
      .replaceAll(/<defs[\s\S]*?<\/defs>/g, '')
    const colours = new Set([...svgs.matchAll(/\b(?:fill|stroke)="([^"]+)"/g)].map(([, colour]) => colour!))
    colours.delete('none')
    for (const colour of colours) {
      const variable = /^var\((--\w+)\)$/.exec(colour)?.[1]
      expect(variable, colour).toBeDefined()
      expect(styleSheet.split(`${variable}:`).length - 1, `values of ${variable}`).toBe(2)
    }
    expect(colours.size).toBeGreaterThan(6)
  })

  test('text keeps a contrast of 4.5 to 1 with the page, light and dark (WCAG 2.1, 1.4.3)', () => {
    const [light, dark] = styleSheet.split('@media (prefers-color-scheme: dark)')
    for (const theme of [light!, dark!.slice(0, dark!.indexOf('* {'))]) {
      const values = new Map([...theme.matchAll(/--(\w+): (#[0-9a-f]{6})/g)].map(([, name, hex]) => [name!, hex!]))
      for (const name of ['ink', 'muted', 'adamw', 'muon', 'shampoo']) {
        expect(contrast(values.get(name)!, values.get('page')!), name).toBeGreaterThanOrEqual(4.5)
      }
    }
  })

  test('text from outside is escaped', () => {
    expect(html).toContain('&lt;b&gt; &amp; &quot;c&quot;')
    expect(html).not.toContain('<b> &')
  })

  test('says what was found, on what, and for how many seeds', () => {
    expect(html).toContain('Shampoo reaches AdamW&#39;s'.replace('&#39;', "'"))
    expect(html).toContain('bands go from the lowest to the highest')
    expect(html).toContain(`Node ${process.version}`)
  })
})

function contrast(first: string, second: string): number {
  const [low, high] = [luminance(first), luminance(second)].sort((a, b) => a - b) as [number, number]
  return (high + 0.05) / (low + 0.05)
}

function luminance(hex: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(hex.slice(at, at + 2), 16) / 255
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
