// Roots of full matrices over a group, by eigendecomposition.
import { matrix, spectral } from '../../dense64.js'
import type { GroupModel } from '../model.js'
import { dot, flatModel } from './flat.js'

/** sum_k x_k x_k^T */
function outer(n: number, columns: readonly number[][]) {
  const result = matrix(n, n)
  for (const x of columns) {
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) result.data[i * n + j]! += x[i]! * x[j]!
  }
  return result
}

const times = (a: { data: Float64Array }, x: readonly number[]) =>
  x.map((_, i) => dot(Array.from(a.data.subarray(i * x.length, (i + 1) * x.length)), x))

/** ((G G^T)^{1/2} + epsilon)^{-1} v, with G G^T as an n x n matrix. */
export function ggtModel(options: { window: number; beta1: number; beta2: number; epsilon: number }): GroupModel {
  const { window, beta1, beta2, epsilon } = options
  return flatModel((n) => {
    let newestFirst: number[][] = []
    let average = new Array<number>(n).fill(0)
    let t = 0
    return (gradient) => {
      t++
      newestFirst = [gradient, ...newestFirst].slice(0, window)
      average = average.map((value, i) => beta1 * value + (1 - beta1) * gradient[i]!)
      const v = average.map((value) => value / (1 - beta1 ** t))
      const aged = newestFirst.map((column, age) => column.map((value) => beta2 ** age * value))
      return times(
        spectral(outer(n, aged), (value) => 1 / (Math.sqrt(Math.max(0, value)) + epsilon)),
        v,
      )
    }
  })
}

export function fullAdagradModel(epsilon: number): GroupModel {
  return flatModel((n) => {
    const all: number[][] = []
    return (gradient) => {
      all.push(gradient)
      return times(
        spectral(outer(n, all), (value) => 1 / Math.sqrt(Math.max(0, value) + epsilon)),
        gradient,
      )
    }
  })
}
