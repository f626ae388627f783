import type { EChartsOption } from 'echarts'
import { UsageError } from '../usage-error.js'

/** Draws a chart as an SVG element of this size, in CSS pixels. */
export type DrawChart = (option: EChartsOption, width: number, height: number) => string

/**
 * echarts, rendering on the server: no browser, no DOM. Colours in the options may be CSS variables, so that one drawing
 * serves light and dark pages: echarts passes them through to the attributes of the SVG.
 *
 * @throws UsageError where echarts is not installed.
 */
export async function loadCharts(): Promise<DrawChart> {
  const echarts = await importEcharts()
  return (option, width, height) => {
    const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height })
    try {
      chart.setOption({ animation: false, ...option })
      return embeddable(chart.renderToSVGString())
    } finally {
      chart.dispose()
    }
  }
}

async function importEcharts(): Promise<typeof import('echarts')> {
  try {
    return await import('echarts')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new UsageError('the report needs the package echarts: run `npm install echarts`')
  }
}

/**
 * An SVG inside HTML needs no namespace and takes its size from the page; the style sheet that echarts adds for hover
 * effects would apply to the whole page.
 */
function embeddable(svg: string): string {
  return svg
    .replace(/ xmlns(:\w+)?="[^"]*"/g, '')
    .replace(/^<svg width="\d+" height="\d+"/, '<svg')
    .replace(/<style\b[\s\S]*?<\/style>/g, '')
    .replace(/ class="[^"]*"/g, '')
    .replace(/ ecmeta_[\w]+="[^"]*"/g, '')
}
