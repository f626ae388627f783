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

export interface CorrectedModelOptions {
  readonly beta1: number
  /** 1 is the sum. */
  readonly beta2: number
  readonly correctionBeta: number
  readonly epsilon: number
  readonly every: number
}

/** Eigenvalue-corrected Shampoo of one block, decomposed every so often from step `every` on. */
export function correctedModel({ beta1, beta2, correctionBeta, epsilon, every }: CorrectedModelOptions): Model {
  return (original) => {
    const shape = original.length === 0 ? [1] : original
    const size = shape.reduce((product, d) => product * d, 1)
    const factors = shape.map((d) => matrix(d, d))
    let bases: Matrix[] | undefined
    let m = new Array<number>(size).fill(0)
    let v = new Array<number>(size).fill(0)
    let t = 0
    let taken = 0
    const along = (tensor: readonly number[], matrices: readonly Matrix[]) =>
      shape.reduce((result, _, d) => refold(shape, multiply(matrices[d]!, unfold(shape, result, d)), d), [...tensor])
    return (gradient) => {
      t++
      const g = Array.from(gradient)
      shape.forEach((_, d) => {
        const x = unfold(shape, g, d)
        factors[d] = combine(beta2, factors[d]!, beta2 === 1 ? 1 : 1 - beta2, multiply(x, transpose(x)))
      })
      if (t % every === 0) {
        const old = bases
        bases = factors.map((a) => eigen(a).vectors)
        const cosines = bases.map((p, d) => (old === undefined ? p : multiply(transpose(old[d]!), p)))
        if (old !== undefined)
          v = along(
            v,
            cosines.map((o) => transpose(squared(o))),
          )
      }
      m = m.map((value, i) => beta1 * value + (1 - beta1) * g[i]!)
      const filtered = m.map((value) => value / (1 - beta1 ** t))
      if (bases === undefined) return filtered
      taken++
      const into = bases.map(transpose)
      v = along(g, into).map((z, i) => correctionBeta * v[i]! + (1 - correctionBeta) * z ** 2)
      const moved = along(filtered, into)
      return along(
        moved.map((z, i) => z / Math.sqrt(v[i]! / (1 - correctionBeta ** taken) + epsilon)),
        bases,
      )
    }
  }
}

export interface SplusModelOptions {
  readonly beta1: number
  readonly beta2: number
  readonly vectorScale: number
  readonly burnIn: number
}

/** SPlus with bases of every step. */
export function splusModel({ beta1, beta2, vectorScale, burnIn }: SplusModelOptions): Model {
  return (shape) => {
    const isMatrix = shape.length === 2
    const [rows, columns] = isMatrix ? (shape as [number, number]) : [shape.reduce((p, d) => p * d, 1), 1]
    let m = matrix(rows, columns)
    let left = matrix(rows, rows)
    let right = matrix(columns, columns)
    let t = 0
    return (gradient) => {
      t++
      const g = matrix(rows, columns, gradient)
      m = combine(beta1, m, t > burnIn ? 1 - beta1 : 0, g)
      if (t <= burnIn) m = matrix(rows, columns)
      left = combine(beta2, left, 1 - beta2, multiply(g, transpose(g)))
      right = combine(beta2, right, 1 - beta2, multiply(transpose(g), g))
      if (t <= burnIn) return new Array<number>(rows * columns).fill(0)
      if (!isMatrix) return Array.from(m.data, (value) => vectorScale * Math.sign(value))
      const [p, q] = [eigen(left).vectors, eigen(right).vectors]
      const turned = multiply(multiply(transpose(p), m), q)
      const signs = matrix(rows, columns, turned.data.map(Math.sign))
      const back = multiply(multiply(p, signs), transpose(q))
      return Array.from(back.data, (value) => (2 / (rows + columns)) * value)
    }
  }
}
