// The plots of docs/performance.md: fraction of the measured peak against n, ours and the peer's, with the peak as a line.
import { type EChartsOption, init, type SeriesOption } from 'echarts'
import type { Row } from './row.js'

export interface Plot {
  readonly file: string
  readonly title: string
  readonly rows: readonly Row[]
  /** What the flop of the fraction are. */
  readonly counted: string
}

interface Choice {
  readonly file: string
  readonly title: string
  readonly counted: string
  belongs(row: Row): boolean
}

const auto = (row: Row) => row.method === 'auto' || row.method.startsWith('auto: ')

const choices: readonly Choice[] = [
  {
    file: 'eigh-f32',
    title: 'eigh, f32',
    counted: '9 n³ flop a matrix',
    belongs: (row) => row.op === 'eigh' && row.dtype === 'f32',
  },
  {
    file: 'eigh-f64',
    title: 'eigh, f64',
    counted: '9 n³ flop a matrix',
    belongs: (row) => row.op === 'eigh' && row.dtype === 'f64',
  },
  {
    file: 'inverse-root-f32',
    title: 'A^(-1/4), condition 1e4, f32',
    counted: 'the flop of the method that answered',
    belongs: (row) => row.op === 'inverse root 1/4' && row.dtype === 'f32' && row.condition === 1e4 && auto(row),
  },
  {
    file: 'spd-inverse-f32',
    title: 'spd_inverse, f32',
    counted: 'n³ flop a matrix',
    belongs: (row) => row.op === 'spd inverse' && row.dtype === 'f32',
  },
  {
    file: 'matmul-f32',
    title: 'matmul, f32, one thread, in the cache',
    counted: '2 n³ flop a matrix',
    belongs: (row) => row.op === 'matmul, 1 thread',
  },
]

/** Every plot that the rows have points for. */
export function plots(rows: readonly Row[]): Plot[] {
  return choices
    .map(({ file, title, counted, belongs }) => ({
      file,
      title,
      counted,
      rows: rows.filter((row) => row.peer === 'openblas' && row.peakFraction !== null && belongs(row)),
    }))
    .filter((plot) => plot.rows.length > 1)
}

const size = { width: 720, height: 400 }
const colours = { kronroot: '#00609c', openblas: '#b34700', peak: '#5b6270' }

export function draw(plot: Plot): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...size })
  try {
    chart.setOption({ animation: false, ...options(plot) })
    return chart.renderToSVGString()
  } finally {
    chart.dispose()
  }
}

function options({ title, rows, counted }: Plot): EChartsOption {
  const own = rows.map((row) => [row.n, 100 * row.peakFraction!])
  // The peer is given the same count of flop: its line is ours divided by the ratio of the times.
  const peer = rows.map((row) => [row.n, (100 * row.peakFraction!) / row.ratio!])
  const orders = rows.map(({ n }) => n)
  const ends = [Math.min(...orders), Math.max(...orders)]
  return {
    backgroundColor: '#ffffff',
    title: { text: title, subtext: `per cent of the measured peak; ${counted}`, left: 10, top: 6 },
    grid: { left: 56, right: 110, top: 70, bottom: 48 },
    xAxis: {
      type: 'log',
      logBase: 2,
      name: 'n',
      nameLocation: 'middle',
      nameGap: 28,
      min: ends[0]!,
      max: ends[1]!,
    },
    yAxis: { type: 'log', logBase: 10, min: 0.1, max: 200, axisLabel: { formatter: '{value} %' } },
    series: [
      line('kronroot', own, { width: 2.5 }),
      line('openblas', peer, { width: 2, type: [6, 4] }),
      line(
        'peak',
        ends.map((n) => [n, 100]),
        { width: 1.5 },
      ),
    ],
  }
}

function line(name: keyof typeof colours, data: number[][], lineStyle: object): SeriesOption {
  return {
    name,
    type: 'line',
    data,
    symbolSize: name === 'peak' ? 0 : 7,
    color: colours[name],
    lineStyle,
    endLabel: { show: true, formatter: name, color: colours[name] },
  }
}
