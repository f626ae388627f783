import { type Model, zeros } from './model.js'

export function sgdModel({ momentum = 0, dampening = 0, nesterov = false } = {}): Model {
  return () => {
    let buffer: number[] | undefined
    return (gradient) => {
      const g = Array.from(gradient)
      if (momentum === 0) return g
      const old = buffer
      buffer = old === undefined ? g : g.map((value, i) => momentum * old[i]! + (1 - dampening) * value)
      const now = buffer
      return nesterov ? g.map((value, i) => value + momentum * now[i]!) : now
    }
  }
}

export interface DiagonalModelOptions {
  readonly beta1: number
  /** 'sum': v accumulates. */
  readonly beta2: number | 'sum'
  readonly isSecondCorrected: boolean
  readonly epsilon: number
}

export function diagonalModel({ beta1, beta2, isSecondCorrected, epsilon }: DiagonalModelOptions): Model {
  return () => {
    let t = 0
    let m: number[] | undefined
    let v: number[] | undefined
    return (gradient) => {
      t++
      const g = Array.from(gradient)
      const m0 = m ?? zeros(g)
      const v0 = v ?? zeros(g)
      m = g.map((value, i) => beta1 * m0[i]! + (1 - beta1) * value)
      v = g.map((value, i) => (beta2 === 'sum' ? v0[i]! + value ** 2 : beta2 * v0[i]! + (1 - beta2) * value ** 2))
      const v1 = v
      const correction = beta2 !== 'sum' && isSecondCorrected ? 1 - beta2 ** t : 1
      return m.map((value, i) => value / (1 - beta1 ** t) / (Math.sqrt(v1[i]! / correction) + epsilon))
    }
  }
}
