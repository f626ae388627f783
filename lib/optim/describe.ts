import { elements } from '../precondition/plan.js'
import type { ParameterSpec, RulePlan } from './rule.js'

/** What an elementwise rule costs. */
export interface ElementwiseCost {
  /** Of the arrays that it holds. */
  readonly bytes: number
  readonly flopsPerElement: number
}

/** Plan of a rule that works on elements alone. */
export function elementwisePlan(rule: string, parameters: readonly ParameterSpec[], cost: ElementwiseCost): RulePlan {
  const total = countElements(parameters)
  return {
    rule,
    parameters: parameters.length,
    elements: total,
    buckets: [],
    bytes: cost.bytes,
    flopsPerStep: cost.flopsPerElement * total,
    flopsPerRefresh: 0,
    nativeCallsPerStep: 0,
    nativeCallsPerRefresh: 0,
  }
}

/** Elements of all parameters together. */
export function countElements(parameters: readonly ParameterSpec[]): number {
  return parameters.reduce((total, { shape }) => total + elements(shape), 0)
}

/** A plan as lines of text, for people. */
export function planText(plan: RulePlan, title: string): string {
  const head = [
    `${title}: ${plan.rule}`,
    `${plan.parameters} parameters`,
    `${plan.elements.toLocaleString('en-US')} elements`,
    formatBytes(plan.bytes),
    `${formatFlops(plan.flopsPerStep)} a step`,
    ...(plan.flopsPerRefresh > 0 ? [`+ ${formatFlops(plan.flopsPerRefresh)} a refresh`] : []),
    `${plan.nativeCallsPerStep} native calls a step`,
    ...(plan.nativeCallsPerRefresh > 0 ? [`+ ${plan.nativeCallsPerRefresh} a refresh`] : []),
  ].join(', ')
  const buckets = plan.buckets.map(
    ({ shape, blocks, kernels }) =>
      `  ${shape.join(' x ')}: ${blocks} ${blocks === 1 ? 'block' : 'blocks'} -> ${kernels.join(', ')}`,
  )
  return [head, ...buckets].join('\n')
}

function formatBytes(bytes: number): string {
  return scaled(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB'])
}

function formatFlops(flops: number): string {
  return scaled(flops, 1000, ['flop', 'kflop', 'Mflop', 'Gflop', 'Tflop', 'Pflop'])
}

function scaled(value: number, base: number, units: readonly string[]): string {
  const power = value < base ? 0 : Math.min(units.length - 1, Math.floor(Math.log(value) / Math.log(base)))
  const mantissa = value / base ** power
  return `${power === 0 ? mantissa : mantissa.toFixed(mantissa < 10 ? 2 : 1)} ${units[power]}`
}
