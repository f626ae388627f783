import type { EChartsOption } from 'echarts'
import type { ComparisonResult, Entry } from '../comparison.js'
import type { Machine } from '../machine.js'
import { failureNotes, findings, headline, type ResultTable, resultTable } from '../table.js'
import { phases } from '../time-split.js'
import type { DrawChart } from './charts.js'
import { type LossAxis, lossChart } from './loss-chart.js'
import { styleSheet } from './style.js'
import { timeChart } from './time-chart.js'

export interface ReportInput {
  readonly result: ComparisonResult
  readonly entries: readonly Entry[]
  /** config.json */
  readonly config: {
    readonly schemaVersion: 1
    readonly started: string
    readonly widths: readonly number[]
    readonly images: number
    readonly evaluationImages: number
    readonly batch: number
    readonly steps: number
    readonly evaluateEvery: number
    readonly seeds: readonly number[]
    readonly schedule: string
    readonly optimizers: readonly { name: string; title: string; options: string; learningRate: number }[]
    readonly tuning: {
      readonly command: string
      readonly date: string
      readonly batch: number
      readonly steps: number
      readonly seed: number
      readonly grid: readonly number[]
    }
    readonly machine: Machine
  }
}

/**
 * The report: one HTML file that needs no network and no script. It follows the reader's light or dark setting, and each
 * chart is there twice, for wide and for narrow pages, because a chart scaled down to a telephone cannot be read.
 */
export function reportHtml(input: ReportInput, draw: DrawChart): string {
  const { result, entries, config } = input
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>kronroot: MNIST autoencoder, ${entries.map(({ name }) => name).join(', ')}</title>
<style>${styleSheet}</style>
</head>
<body>
<main>
<p class="kicker">kronroot · deep autoencoder ${config.widths.join('-')} on MNIST · ${escapeHtml(config.started.slice(0, 10))}</p>
<h1>${escapeHtml(headline(result))}</h1>
<p>${escapeHtml(introduction(input))}</p>
<p>${findings(result).map(escapeHtml).join(' ')}</p>
${tableHtml(resultTable(result, entries), entries)}
${failureNotes(entries)
  .map((note) => `<p>${escapeHtml(note)}</p>`)
  .join('')}
${lossSection(input, 'step', draw)}
${lossSection(input, 'seconds', draw)}
<h2>Where the time of a step goes</h2>
${legend(phases.map((phase) => [phase, phase]))}
${figure((narrow) => timeChart(result, narrow), [880, 210], [380, 210], draw, timeCaption)}
<h2>How it was measured</h2>
${definitions(configurationRows(config))}
<h2>Machine</h2>
${definitions(machineRows(config.machine))}
</main>
</body>
</html>
`
}

function introduction({ result, config }: ReportInput): string {
  const seeds = config.seeds.length
  const target =
    result.target === null
      ? ''
      : ` The target is AdamW's final training loss, ${result.target.toFixed(2)} nats per image.`
  return (
    `${config.optimizers.length} optimizers, ${config.steps} steps of ${config.batch} images, ` +
    `${seeds} ${seeds === 1 ? 'seed' : 'seeds'}; the same initial weights and the same batches for all.${target}`
  )
}

function lossSection({ result, entries, config }: ReportInput, axis: LossAxis, draw: DrawChart): string {
  const seeds = config.seeds.length
  const band = seeds > 1 ? ` Lines are medians over ${seeds} seeds, bands go from the lowest to the highest.` : ''
  const caption =
    axis === 'step'
      ? `Loss on ${config.evaluationImages} fixed training images, every ${config.evaluateEvery} steps; the thin line is AdamW's last.${band}`
      : `Seconds of gradients and optimizer steps on the machine below; measuring the loss is not counted.${band}`
  return `<h2>Training loss against ${axis === 'step' ? 'steps' : 'seconds'}</h2>
${legend(entries.map(({ name }, index) => [name, config.optimizers[index]!.title]))}
${figure((narrow) => lossChart(entries, result.target, axis, narrow), [880, 400], [380, 320], draw, caption)}`
}

const timeCaption =
  'Means over all steps. Gradient: jax-js, forward and backward. Statistics: averages of gradients and Kronecker factors. ' +
  'Refresh: inverse roots. Apply: preconditioning or orthogonalization, and the change of the weights.'

function figure(
  option: (narrow: boolean) => EChartsOption,
  wide: readonly [number, number],
  narrow: readonly [number, number],
  draw: DrawChart,
  caption: string,
): string {
  return `<figure>
<div class="wide">${draw(option(false), ...wide)}</div>
<div class="narrow">${draw(option(true), ...narrow)}</div>
<figcaption>${escapeHtml(caption)}</figcaption>
</figure>`
}

function legend(items: readonly (readonly [variable: string, title: string])[]): string {
  const entries = items.map(([variable, title]) => `<li>${swatch(variable)}${escapeHtml(title)}</li>`)
  return `<ul class="legend">${entries.join('')}</ul>`
}

function swatch(variable: string): string {
  return `<span class="swatch" style="background:var(--${variable})"></span>`
}

function tableHtml({ headings, rows }: ResultTable, entries: readonly Entry[]): string {
  const head = headings.map((heading) => `<th scope="col">${escapeHtml(heading)}</th>`).join('')
  const body = rows.map(([title, ...cells], index) => {
    const label = `<th scope="row">${swatch(entries[index]!.name)}${escapeHtml(title!)}</th>`
    return `<tr>${label}${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`
  })
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table></div>`
}

function configurationRows(config: ReportInput['config']): [string, string][] {
  const { tuning } = config
  return [
    [
      'Network',
      `${config.widths.join('-')}, tanh, linear code layer, sigmoid outputs, cross-entropy summed over pixels`,
    ],
    ['Data', `${config.images.toLocaleString('en-US')} training images of MNIST`],
    ['Gradients', 'jax-js, wasm, one thread'],
    ['Schedule', config.schedule],
    ...config.optimizers.map(({ title, options, learningRate }): [string, string] => [
      title,
      `learning rate ${learningRate}; ${options}`,
    ]),
    [
      'Tuning',
      `${tuning.grid.length} learning rates for each optimizer, ${tuning.grid[0]} to ${tuning.grid.at(-1)}, by final training loss ` +
        `at batch ${tuning.batch}, ${tuning.steps} steps, seed ${tuning.seed} (${tuning.command}, ${tuning.date})`,
    ],
    ['Seeds', config.seeds.join(', ')],
  ]
}

function machineRows(machine: Machine): [string, string][] {
  return [
    ['Processor', `${machine.cpu}, ${machine.cores} ${machine.cores === 1 ? 'core' : 'cores'} available`],
    ['Memory', `${machine.memoryGiB} GiB`],
    ['System', `${machine.system}, Node ${machine.node}`],
    ['Kernels', machine.device],
  ]
}

function definitions(rows: readonly (readonly [string, string])[]): string {
  return `<dl>${rows.map(([term, text]) => `<dt>${escapeHtml(term)}</dt><dd>${escapeHtml(text)}</dd>`).join('')}</dl>`
}

/** Also keeps numbers and their units on one line. */
function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll(/(\d) (?=(?:%|s|ms|GiB)(?!\w))/g, '$1&nbsp;')
}
