// Matrices as optimizers make them: Shampoo's moving averages of gradient Gram matrices, and their accidents.
import { type DType, rounded, type ZooMatrix, type ZooOptions } from './matrix.js'

export interface EmaOptions extends ZooOptions {
  /** Number of gradients averaged: rank min(n, steps * columns). */
  readonly steps: number
  /** Columns of a gradient G (n x columns); default max(1, n / 4). */
  readonly columns?: number
  readonly beta?: number
  /** Rows of G that are always zero (dead units), counted from the last. */
  readonly deadRows?: number
  /** Every step adds this multiple of one fixed direction. */
  readonly outlier?: number
  /** Accumulate in f32 by plain loops, row by row, which leaves the matrix slightly asymmetric. */
  readonly asymmetric?: boolean
}

/** L_t = beta L_{t-1} + (1 - beta) G_t G_t^T from L_0 = 0, with rows of G of scale 10^-2..10^0. */
export function shampooEma(n: number, options: EmaOptions): ZooMatrix {
  const { steps, random, dtype, beta = 0.95, deadRows = 0, outlier = 0, asymmetric = false } = options
  const columns = options.columns ?? Math.max(1, n >> 2)
  const rowScale = Float64Array.from({ length: n }, (_, i) => (i >= n - deadRows ? 0 : 10 ** random.uniform(-2, 0)))
  const direction = random.normals(n)
  const round = dtype === 'f32' ? Math.fround : (x: number) => x
  const data = new Float64Array(n * n)
  // Steps so old that their weight is below f64's ulp are not computed.
  const remembered = Math.min(steps, Math.ceil(Math.log(2 ** -53) / Math.log(beta)))
  for (let step = 0; step < remembered; step++) {
    const g = random.normals(n * columns)
    for (let i = 0; i < n; i++)
      for (let k = 0; k < columns; k++)
        g[i * columns + k] = rowScale[i]! * (g[i * columns + k]! + outlier * direction[i]!)
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        // Going backwards through k above the diagonal gives the two triangles different rounding.
        const backwards = asymmetric && j > i
        let sum = 0
        for (let k = 0; k < columns; k++) {
          const c = backwards ? columns - 1 - k : k
          sum = round(sum + g[i * columns + c]! * g[j * columns + c]!)
        }
        data[i * n + j] = round(beta * data[i * n + j]! + (1 - beta) * sum)
      }
  }
  const traits = [deadRows && `${deadRows} dead`, outlier && `outlier ${outlier}`, asymmetric && 'asymmetric']
  const name = ['ema', steps, ...traits.filter(Boolean)].join(' ')
  return rounded({ name, n, data }, dtype)
}

/** X^T X of `rows` samples of which `duplicates` features are copies of feature 0, with a homogeneous 1 at the end. */
export function kfacFactor(n: number, rows: number, duplicates: number, { dtype, random }: ZooOptions): ZooMatrix {
  const data = new Float64Array(n * n)
  for (let r = 0; r < rows; r++) {
    const x = random.normals(n)
    for (let i = 1; i <= Math.min(duplicates, n - 2); i++) x[i] = x[0]!
    if (n > 0) x[n - 1] = 1
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) data[i * n + j]! += (x[i]! * x[j]!) / rows
  }
  return rounded({ name: `kfac ${duplicates} duplicates`, n, data }, dtype)
}

/** The optimizer family at size n. */
export function optimizerMatrices(n: number, { dtype, random }: ZooOptions): ZooMatrix[] {
  const options: { dtype: DType; random: ZooOptions['random'] } = { dtype, random }
  return [
    shampooEma(n, { ...options, steps: 1 }),
    shampooEma(n, { ...options, steps: 10 }),
    shampooEma(n, { ...options, steps: 1000, columns: 1 }),
    shampooEma(n, { ...options, steps: 10, deadRows: Math.min(n, 2) }),
    shampooEma(n, { ...options, steps: 10, outlier: 1e3 }),
    shampooEma(n, { ...options, steps: 10, asymmetric: true }),
    shampooEma(n, { ...options, steps: 1, columns: 1 }),
    kfacFactor(n, 4 * n, 3, options),
  ]
}
