// The figures that the CPU kernels are built for, and what a run reached of them.
import type { Row } from './row.js'

export interface Target {
  readonly op: string
  readonly dtype: 'f32' | 'f64'
  readonly n: number
  readonly peer: string | null
  /** Where an op has several conditions or methods. */
  readonly condition?: number
  readonly method?: string
  /** What is compared: the ratio to the peer, or the fraction of the measured peak. */
  readonly figure: 'ratio' | 'peakFraction'
  readonly must: number
  readonly stretch: number
}

type Figures = readonly (readonly [n: number, must: number, stretch: number])[]

function against(openblas: Pick<Target, 'op' | 'dtype' | 'condition' | 'method'>, figures: Figures): Target[] {
  return figures.map(([n, must, stretch]) => ({ ...openblas, n, peer: 'openblas', figure: 'ratio', must, stretch }))
}

export const targets: readonly Target[] = [
  ...against({ op: 'eigh', dtype: 'f32' }, [
    [4, 9, 11],
    [8, 11, 15],
    [16, 11, 16],
    [32, 8.5, 12],
    [64, 5, 8],
    [128, 3, 5],
    [256, 1.7, 2.5],
    [512, 1.2, 2],
    [1024, 1, 1.5],
  ]),
  ...against({ op: 'eigh', dtype: 'f64' }, [
    [4, 5, 7],
    [8, 6, 8],
    [16, 6, 8],
    [32, 4.5, 7],
    [64, 3, 5],
    [128, 2, 3],
    [256, 1.3, 2],
    [512, 1, 1.5],
    [1024, 1, 1.3],
  ]),
  ...against({ op: 'inverse root 1/4', dtype: 'f32', condition: 1e4, method: 'auto' }, [
    [4, 12, 25],
    [8, 20, 30],
    [16, 14, 20],
    [32, 9, 14],
    [64, 5.5, 9],
    [128, 3.2, 5],
    [256, 2, 3],
    [512, 1.4, 2.2],
    [1024, 1.2, 1.9],
  ]),
  ...against({ op: 'inverse root 1/2', dtype: 'f32', condition: 1e2, method: 'auto' }, [
    [4, 12, 25],
    [8, 25, 36],
    [16, 16, 22],
    [32, 10, 15],
    [64, 6, 9],
    [128, 3.5, 5],
    [256, 2.2, 3],
    [512, 1.6, 2.4],
    [1024, 1.4, 2],
  ]),
  ...against({ op: 'spd inverse', dtype: 'f32' }, [
    [4, 6, 10],
    [8, 8, 15],
    [16, 8, 15],
    [32, 8, 15],
    [64, 5, 9],
    [128, 3.5, 5.5],
    [256, 2.8, 4],
    [512, 2, 3],
    [1024, 1.5, 1.8],
  ]),
  ...against({ op: 'orthogonalize', dtype: 'f32', method: 'newton-schulz bf16' }, [
    [256, 6, 10],
    [512, 6, 10],
    [1024, 6, 10],
  ]),
  ...against({ op: 'orthogonalize 1:4', dtype: 'f32', method: 'newton-schulz bf16' }, [[256, 6, 10]]),
  ...against({ op: 'orthogonalize', dtype: 'f32', method: 'newton-schulz' }, [
    [256, 1.3, 1.7],
    [512, 1.3, 1.7],
    [1024, 1.3, 1.7],
  ]),
  ...against({ op: 'gram, 1 thread', dtype: 'f32' }, [
    [64, 1.6, 1.8],
    [128, 1.6, 1.8],
    [256, 1.6, 1.8],
    [512, 1.6, 1.8],
    [1024, 1.6, 1.8],
  ]),
  ...[64, 128, 256, 512, 1024].map(
    (n): Target => ({
      op: 'matmul, 1 thread',
      dtype: 'f32',
      n,
      peer: 'openblas',
      figure: 'peakFraction',
      must: 0.8,
      stretch: 0.9,
    }),
  ),
  // Products of bf16 parts on the matrix unit against those in vectors.
  ...[128, 256, 512, 1024].map(
    (n): Target => ({
      op: 'matmul, 1 thread',
      dtype: 'f32',
      n,
      peer: 'avx512',
      figure: 'ratio',
      must: 1.3,
      stretch: 1.8,
    }),
  ),
  ...[8, 16, 32, 64, 128].map(
    (n): Target => ({
      op: 'eigh',
      dtype: 'f64',
      n,
      peer: 'ml-matrix',
      figure: 'ratio',
      must: 100,
      stretch: 200,
    }),
  ),
]

export interface Verdict {
  readonly target: Target
  readonly reached: number
  readonly error: number | null
  readonly peerError: number | null
}

/** What the rows reached of the targets that they belong to. */
export function verdicts(rows: readonly Row[]): Verdict[] {
  return targets.flatMap((target) => {
    const row = rows.find((each) => belongs(each, target))
    const reached = row?.[target.figure]
    return row && typeof reached === 'number' ? [{ target, reached, error: row.error, peerError: row.peerError }] : []
  })
}

function belongs(row: Row, { op, dtype, n, peer, condition, method }: Target): boolean {
  return (
    row.op === op &&
    row.dtype === dtype &&
    row.n === n &&
    row.peer === peer &&
    (condition === undefined || row.condition === condition) &&
    // The planner's row says what it chose: 'auto: eigh'.
    (method === undefined || row.method === method || row.method.startsWith(`${method}: `))
  )
}

export function formatVerdict({ target, reached }: Verdict): string {
  const { op, dtype, n, condition, method, peer, figure, must, stretch } = target
  const what = [op, dtype, condition?.toExponential(0), method, `n = ${n}`].filter((part) => part !== undefined)
  const unit = figure === 'ratio' ? `x ${peer}` : ' of the peak'
  const grade = reached >= stretch ? 'stretch' : reached >= must ? 'must' : 'MISSED'
  return `${grade.padEnd(8)}${what.join(' ')}: ${reached.toFixed(2)}${unit} (must ${must}, stretch ${stretch})`
}
