// A Kalman filter over the whole group. With one block a parameter it is the same: the oracle's Hessian has no other blocks.
import { combine, type Matrix, matrix, multiply, spectral } from '../../dense64.js'
import type { Oracle } from '../../oracle.js'
import type { GroupModel } from '../model.js'
import { flatModel, flatten, sum } from './flat.js'
import { denseHessian } from './newton.js'

/** The Hessian as the rule's callback returns it. */
export function blockHessians(oracle: Oracle, structure: 'block' | 'dense') {
  return (values: readonly Float32Array[]): Float32Array[] => {
    const flat = flatten(values)
    const n = flat.length
    const whole = denseHessian(
      oracle.hessianVector,
      values.map(({ length }) => [length]),
      flat,
    )
    if (structure === 'dense') return [Float32Array.from(whole.data)]
    let start = 0
    return values.map(({ length }) => {
      const first = start
      start += length
      return Float32Array.from({ length: length ** 2 }, (_, i) => {
        const [row, column] = [first + Math.floor(i / length), first + (i % length)]
        return whole.data[row * n + column]!
      })
    })
  }
}

export function bayesianModel(options: {
  oracle: Oracle
  hessianDrift: number
  gradientDrift: number
  damping: number
}): GroupModel {
  const { oracle, hessianDrift, gradientDrift, damping } = options
  const times = (a: Matrix, x: readonly number[]) => Array.from(multiply(a, matrix(x.length, 1, x)).data)
  return flatModel((_, shapes) => {
    let hessian: Matrix | undefined
    let estimate: number[] | undefined
    let last: number[] | undefined
    let [hessianVariance, gradientVariance] = [1e300, 1e300]
    const gain = (variance: number, drift: number) => (variance + drift) / (variance + drift + 1)
    return (gradient, values) => {
      const seen = denseHessian(oracle.hessianVector, shapes, values)
      gradientVariance = gain(gradientVariance, gradientDrift)
      hessianVariance = gain(hessianVariance, hessianDrift)
      const predicted =
        estimate === undefined ? gradient : sum(1, estimate, 1, times(hessian!, sum(1, values, -1, last!)))
      estimate = sum(1 - gradientVariance, predicted, gradientVariance, gradient)
      hessian = combine(1 - hessianVariance, hessian ?? seen, hessianVariance, seen)
      last = values
      return times(
        spectral(hessian, (value) => 1 / (value + damping)),
        estimate,
      )
    }
  })
}
