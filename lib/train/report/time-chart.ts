import type { EChartsOption } from 'echarts'
import type { ComparisonResult } from '../comparison.js'
import { contenders } from '../contenders.js'
import { phases, totalOf } from '../time-split.js'

/** Milliseconds per step as one bar an optimizer, cut by what they were spent on; the total stands at the end. */
export function timeChart(result: ComparisonResult, narrow: boolean): EChartsOption {
  const rows = [...result.optimizers].reverse()
  const size = narrow ? 13 : 12
  const longest = Math.max(...rows.map(({ millisecondsPerStep }) => totalOf(millisecondsPerStep)))
  return {
    textStyle: { fontFamily: 'inherit', color: 'var(--muted)', fontSize: size },
    grid: { left: 84, right: 20, top: 8, bottom: 46 },
    xAxis: {
      type: 'value',
      name: 'milliseconds per step',
      nameLocation: 'middle',
      nameGap: 28,
      // Room for the totals, which stand beyond the bars.
      max: longest * (narrow ? 1.35 : 1.15),
      splitNumber: narrow ? 4 : 8,
      nameTextStyle: { color: 'var(--muted)', fontSize: size },
      axisLabel: { color: 'var(--muted)', fontSize: size, showMaxLabel: false },
      axisLine: { lineStyle: { color: 'var(--axis)' } },
      axisTick: { lineStyle: { color: 'var(--axis)' } },
      splitLine: { showMaxLine: false, lineStyle: { color: 'var(--grid)' } },
    },
    yAxis: {
      type: 'category',
      data: rows.map(({ name }) => contenders[name as keyof typeof contenders].title),
      axisLabel: { color: 'var(--ink)', fontSize: 13, fontWeight: 600 },
      axisLine: { lineStyle: { color: 'var(--axis)' } },
      axisTick: { show: false },
    },
    series: phases.map((phase, index) => ({
      type: 'bar' as const,
      name: phase,
      stack: 'time',
      barWidth: 26,
      silent: true,
      itemStyle: { color: `var(--${phase})`, borderColor: 'var(--page)', borderWidth: 1 },
      data: rows.map(({ millisecondsPerStep }) => millisecondsPerStep[phase]),
      label: {
        show: index === phases.length - 1,
        position: 'right' as const,
        color: 'var(--ink)',
        fontSize: 13,
        formatter: ({ dataIndex }: { dataIndex: number }) =>
          `${totalOf(rows[dataIndex]!.millisecondsPerStep).toFixed(1)} ms`,
      },
    })),
  }
}
