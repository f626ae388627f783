import { combine, eigen, identity, type Matrix, matrix, multiply, transpose } from '../dense64.js'
import type { Model } from './model.js'
import { refold, unfold } from './shampoo.js'

export interface SoapModelOptions {
  readonly beta1: number
  readonly beta2: number
  readonly factorBeta: number
  readonly epsilon: number
  readonly every: number
  readonly update: 'iterate' | 'decompose'
  readonly isWhitened?: boolean
  readonly hasFactor?: (shape: readonly number[], dimension: number) => boolean
}

/** Q of A = Q R, by modified Gram-Schmidt, twice. */
function orthonormal(a: Matrix): Matrix {
  const n = a.rows
  const q = matrix(n, n, a.data)
  for (let pass = 0; pass < 2; pass++) {
    for (let j = 0; j < n; j++) {
      for (let k = 0; k < j; k++) {
        let dot = 0
        for (let i = 0; i < n; i++) dot += q.data[i * n + k]! * q.data[i * n + j]!
        for (let i = 0; i < n; i++) q.data[i * n + j]! -= dot * q.data[i * n + k]!
      }
      let square = 0
      for (let i = 0; i < n; i++) square += q.data[i * n + j]! ** 2
      for (let i = 0; i < n; i++) q.data[i * n + j]! /= Math.sqrt(square)
    }
  }
  return q
}

const diagonal = (a: Matrix) => Array.from({ length: a.rows }, (_, i) => a.data[i * (a.rows + 1)]!)

function refreshed(a: Matrix, q: Matrix, update: SoapModelOptions['update']): Matrix {
  if (update === 'decompose') return eigen(a).vectors
  const n = a.rows
  const image = multiply(a, q)
  const quotients = diagonal(multiply(transpose(q), image))
  const order = quotients.map((_, j) => j).sort((i, j) => Math.abs(quotients[j]!) - Math.abs(quotients[i]!))
  const sorted = matrix(n, n)
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) sorted.data[i * n + j] = image.data[i * n + order[j]!]!
  return orthonormal(sorted)
}

const squared = (a: Matrix) =>
  matrix(
    a.rows,
    a.columns,
    a.data.map((value) => value ** 2),
  )

/** SOAP and KL-SOAP of one block; a dimension without a factor has the identity for a basis. */
export function soapModel(options: SoapModelOptions): Model {
  const { beta1, beta2, factorBeta, epsilon, every, update, isWhitened = false, hasFactor = () => true } = options
  return (original) => {
    const shape = original.length === 0 ? [1] : original
    const has = shape.map((_, d) => shape.length > 1 && hasFactor(shape, d))
    const size = shape.reduce((product, d) => product * d, 1)
    const factors = shape.map((d) => matrix(d, d))
    let bases: Matrix[] | undefined
    let m = new Array<number>(size).fill(0)
    let v = new Array<number>(size).fill(0)
    let t = 0
    let moves = 0
    const along = (tensor: readonly number[], matrices: readonly Matrix[]) =>
      shape.reduce((result, _, d) => refold(shape, multiply(matrices[d]!, unfold(shape, result, d)), d), [...tensor])
    /** G x (C_other^{-1/2}), from the basis and diag(Q^T C Q) of the other side. */
    const whitened = (g: readonly number[], own: number) =>
      shape.reduce(
        (result, _, d) => {
          if (d === own || !has[d] || bases === undefined) return result
          const q = bases[d]!
          const values = diagonal(multiply(transpose(q), multiply(factors[d]!, q)))
          const scaled = matrix(
            q.rows,
            q.rows,
            q.data.map((x, i) => x / Math.sqrt(values[i % q.rows]!)),
          )
          return refold(shape, multiply(multiply(scaled, transpose(q)), unfold(shape, result, d)), d)
        },
        [...g],
      )
    return (gradient) => {
      t++
      const g = Array.from(gradient)
      const sources = shape.map((_, d) => (isWhitened ? whitened(g, d) : g))
      shape.forEach((d, dimension) => {
        const x = unfold(shape, sources[dimension]!, dimension)
        const weight = (1 - factorBeta) * (isWhitened ? d / size : 1)
        factors[dimension] = combine(factorBeta, factors[dimension]!, weight, multiply(x, transpose(x)))
      })
      const isMoving = bases !== undefined || has.every((flag) => !flag)
      const old = bases ?? shape.map(identity)
      let direction = new Array<number>(size).fill(0)
      if (isMoving) {
        moves++
        const z = along(g, old.map(transpose))
        m = m.map((value, i) => beta1 * value + (1 - beta1) * z[i]!)
        v = v.map((value, i) => beta2 * value + (1 - beta2) * z[i]! ** 2)
        const u = m.map(
          (value, i) => value / (1 - beta1 ** moves) / (Math.sqrt(v[i]! / (1 - beta2 ** moves)) + epsilon),
        )
        direction = along(u, old)
      }
      if (bases === undefined) bases = factors.map((a, d) => (has[d] ? eigen(a).vectors : identity(a.rows)))
      else if (t % every === 0) {
        bases = factors.map((a, d) => (has[d] ? refreshed(a, old[d]!, update) : identity(a.rows)))
        const cosines = bases.map((p, d) => multiply(transpose(old[d]!), p))
        m = along(m, cosines.map(transpose))
        v = along(
          v,
          cosines.map((o) => transpose(squared(o))),
        )
      }
      return direction
    }
  }
}
