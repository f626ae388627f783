import type { EChartsOption, SeriesOption } from 'echarts'
import { type Curve, curveOf, type Entry } from '../comparison.js'
import { contenders } from '../contenders.js'

/** Which quantity the loss is drawn against. */
export type LossAxis = 'step' | 'seconds'

/** Line style of an optimizer: told apart by dash as well as by colour. */
const dashes: Record<string, 'solid' | number[]> = { adamw: [2, 3], muon: 'solid', shampoo: [9, 4] }

/**
 * Training loss, logarithmic, against steps or seconds: the median over the seeds, the range over the seeds as a band,
 * and AdamW's final loss as a thin line.
 */
export function lossChart(
  entries: readonly Entry[],
  target: number | null,
  axis: LossAxis,
  narrow: boolean,
): EChartsOption {
  const curves = entries.map(({ name, runs }) => ({ name, several: runs.length > 1, curve: curveOf(runs) }))
  const lowest = Math.min(...curves.flatMap(({ curve }) => curve.map(({ low }) => low)))
  const ends = curves.map(({ curve }) => curve.at(-1)![axis])
  const highest = Math.max(...curves.map(({ curve }) => curve[0]!.high))
  const size = narrow ? 13 : 12
  return {
    textStyle: { fontFamily: 'inherit', color: 'var(--muted)', fontSize: size },
    grid: { left: narrow ? 44 : 56, right: narrow ? 12 : 84, top: narrow ? 28 : 30, bottom: 46 },
    xAxis: {
      type: 'value',
      name: axis === 'step' ? 'step' : 'seconds of training',
      nameLocation: 'middle',
      nameGap: 28,
      min: 0,
      max: Math.ceil(Math.max(...ends)),
      splitNumber: narrow ? 4 : 8,
      nameTextStyle: { color: 'var(--muted)', fontSize: size },
      axisLabel: { color: 'var(--muted)', fontSize: size, showMaxLabel: axis === 'step', hideOverlap: true },
      axisLine: { lineStyle: { color: 'var(--axis)' } },
      axisTick: { lineStyle: { color: 'var(--axis)' } },
      splitLine: { show: false },
    },
    yAxis: {
      type: 'log',
      logBase: 2,
      name: 'training loss, nats per image',
      nameLocation: 'end',
      nameTextStyle: { color: 'var(--muted)', fontSize: size, align: 'left', padding: [0, 0, 0, narrow ? -36 : -46] },
      min: 0.85 * lowest,
      max: 1.05 * highest,
      // The ends of the axis are not powers of 2, and have no label.
      axisLabel: { color: 'var(--muted)', fontSize: size, showMinLabel: false, showMaxLabel: false },
      axisLine: { lineStyle: { color: 'var(--axis)' } },
      axisTick: { lineStyle: { color: 'var(--axis)' } },
      splitLine: { lineStyle: { color: 'var(--grid)' } },
    },
    series: [
      ...curves.flatMap(({ name, several, curve }) => [
        ...(several ? bandSeries(name, curve, axis) : []),
        lineSeries(name, curve, axis, narrow),
      ]),
      ...(target === null ? [] : [targetSeries(target, Math.max(...ends), narrow)]),
    ],
  }
}

function lineSeries(name: Entry['name'], curve: readonly Curve[], axis: LossAxis, narrow: boolean): SeriesOption {
  const colour = `var(--${name})`
  return {
    type: 'line',
    name: contenders[name].title,
    data: curve.map((at) => [at[axis], at.loss]),
    showSymbol: false,
    silent: true,
    lineStyle: { color: colour, width: 2.2, type: dashes[name] ?? 'solid' },
    itemStyle: { color: colour },
    endLabel: {
      show: !narrow,
      formatter: contenders[name].title,
      color: colour,
      fontSize: 13,
      fontWeight: 600,
      distance: 6,
      // The name stays readable where the curve of another optimizer runs through it.
      textBorderColor: 'var(--page)',
      textBorderWidth: 4,
    },
    labelLayout: { moveOverlap: 'shiftY' },
    z: 3,
  }
}

/** The range over the seeds: an outline drawn once forwards along the top and once backwards along the bottom. */
function bandSeries(name: Entry['name'], curve: readonly Curve[], axis: LossAxis): SeriesOption[] {
  const outline = [
    ...curve.map((at) => [at[axis], at.high]),
    ...[...curve].reverse().map((at) => [at[axis], at.low]),
  ] as [number, number][]
  return [
    {
      type: 'custom',
      silent: true,
      data: [outline.flat()],
      renderItem: (_, api) => ({
        type: 'polygon',
        shape: { points: outline.map((point) => api.coord(point)) },
        style: { fill: `var(--${name})`, opacity: 0.16 },
      }),
      z: 2,
    },
  ]
}

function targetSeries(target: number, end: number, narrow: boolean): SeriesOption {
  const label = {
    show: !narrow,
    formatter: `AdamW's end, ${target.toFixed(1)}`,
    color: 'var(--muted)',
    fontSize: 12,
    position: 'bottom' as const,
    align: 'left' as const,
    offset: [6, 2],
  }
  return {
    type: 'line',
    data: [
      { value: [0, target], label },
      { value: [end, target], label: { show: false } },
    ],
    symbol: 'circle',
    symbolSize: 0,
    silent: true,
    itemStyle: { color: 'var(--muted)' },
    lineStyle: { color: 'var(--muted)', width: 1 },
    z: 1,
  }
}
