// A smooth problem that answers the callbacks of rules in conformance tests: f(W) = sum_p sum_i c_i (W_i - T_i)^2 / 2 plus a
// coupling of neighbours within a parameter, so that its Hessian is not diagonal. Plain loops in f64.

import { normal, normalArray } from './random.js'

export type Values = readonly ArrayLike<number>[]

export interface Oracle {
  loss(values: Values): number
  gradient(values: Values): number[][]
  /** The Hessian at the values (left out: at those of the last gradient) times vectors. */
  hessianVector(vectors: Values, values?: Values): number[][]
}

/** c_i from 0.5 to 1.5, neighbours coupled by 0.2: eigenvalues from 0.1 to 1.9. */
export function quadraticOracle(target: (parameter: number, index: number) => number = () => 0): Oracle {
  const curvature = (index: number) => 0.5 + (index % 5) / 4
  const coupling = 0.2
  const hessianVector = (vectors: Values) =>
    vectors.map((vector) =>
      Array.from(
        vector,
        (value, i) => curvature(i) * value + coupling * ((i > 0 ? vector[i - 1]! : 0) + (vector[i + 1] ?? 0)),
      ),
    )
  const offset = (values: Values) => values.map((value, p) => Array.from(value, (w, i) => w - target(p, i)))
  return {
    hessianVector,
    gradient: (values) => hessianVector(offset(values)),
    loss: (values) => {
      const away = offset(values)
      const gradient = hessianVector(away)
      return away.reduce((sum, list, p) => sum + list.reduce((part, w, i) => part + 0.5 * w * gradient[p]![i]!, 0), 0)
    },
  }
}

/** Arrays as callbacks of rules exchange them. */
export const asArrays = (values: Values): Float32Array[] => values.map((value) => Float32Array.from(value))

/** 64 samples of 6 inputs in 3 classes; W is 6 x 3, `start` the loss at W = 0. The Hessian is exact. */
export function logisticRegression(): { readonly problem: Oracle; readonly start: number } {
  const next = normal(5)
  const samples = 64
  const inputs = normalArray(samples * 6, next)
  const truth = normalArray(6 * 3, next)
  const scores = (weights: ArrayLike<number>, n: number) =>
    [0, 1, 2].map((c) => inputs.slice(6 * n, 6 * n + 6).reduce((sum, x, i) => sum + x * weights[3 * i + c]!, 0))
  const labels = Array.from({ length: samples }, (_, n) => {
    const own = scores(truth, n)
    return own.indexOf(Math.max(...own))
  })
  const probabilities = (weights: ArrayLike<number>, n: number) => {
    const powers = scores(weights, n).map(Math.exp)
    const total = powers.reduce((sum, power) => sum + power, 0)
    return powers.map((power) => power / total)
  }
  /** sum_n x_n r_n^T / samples */
  const backward = (residual: (n: number) => readonly number[]) => {
    const gradient = new Array<number>(18).fill(0)
    for (let n = 0; n < samples; n++) {
      residual(n).forEach((r, c) => {
        for (let i = 0; i < 6; i++) gradient[3 * i + c]! += (inputs[6 * n + i]! * r) / samples
      })
    }
    return [gradient]
  }
  let current: ArrayLike<number> = new Float32Array(18)
  const problem: Oracle = {
    loss: ([weights]) =>
      labels.reduce((sum, label, n) => sum - Math.log(probabilities(weights!, n)[label]!) / samples, 0),
    gradient: ([weights]) => {
      current = Float32Array.from(weights!)
      return backward((n) => probabilities(weights!, n).map((p, c) => p - (c === labels[n] ? 1 : 0)))
    },
    hessianVector: ([vector], values) =>
      backward((n) => {
        const p = probabilities(values?.[0] ?? current, n)
        const slope = scores(vector!, n)
        const mean = p.reduce((sum, value, c) => sum + value * slope[c]!, 0)
        return p.map((value, c) => value * (slope[c]! - mean))
      }),
  }
  return { problem, start: problem.loss([new Float32Array(18)]) }
}
