import { combine, frobenius, type Matrix, matrix, transpose } from '../dense64.js'
import type { Model } from './model.js'

/** Turns an orthogonalized block, outputs x inputs, into its direction; with what it was orthogonalized from. */
export type Finish = (orthogonal: Matrix, from: Matrix) => Matrix

export interface OrthogonalModelOptions {
  readonly momentum: number
  readonly nesterov: boolean
  readonly orthogonalize: (a: Matrix) => Matrix
  readonly outputs?: 'first' | 'last'
  /** Sizes into which the outputs are cut; or, of `side` inputs, the inputs. Default: whole. */
  readonly pieces?: (size: number) => readonly number[]
  readonly side?: 'outputs' | 'inputs'
  /** Whether the signs of the average are orthogonalized. */
  readonly signs?: boolean
  /** Called once a block. */
  readonly finish: () => Finish
}

/** All of it in fp64 and as outputs x inputs, transposed where the weight is not. */
export function orthogonalModel(options: OrthogonalModelOptions): Model {
  const { momentum, nesterov, orthogonalize, outputs = 'first', pieces = (size) => [size], signs = false } = options
  const cutsInputs = options.side === 'inputs'
  return (shape) => {
    const total = shape.reduce((product, dimension) => product * dimension, 1)
    const rows = outputs === 'first' ? shape[0]! : total / shape[shape.length - 1]!
    const turned = (a: Matrix) => (outputs === 'first' ? a : transpose(a))
    const cut = (a: Matrix) => (cutsInputs ? transpose(a) : a)
    let m = matrix(rows, total / rows)
    const sizes = pieces(cut(turned(m)).rows)
    const finishes = sizes.map(() => options.finish())
    return (gradient) => {
      const g = matrix(rows, total / rows, gradient)
      // Heavy ball on purpose: lib/ averages, which must make no difference but in length.
      m = combine(momentum, m, 1, g)
      const b = combine(1 - momentum, nesterov ? combine(1, g, momentum, m) : m, 0, m)
      const source = cut(turned(signs ? matrix(b.rows, b.columns, b.data.map(Math.sign)) : b))
      const answer = matrix(source.rows, source.columns)
      let start = 0
      sizes.forEach((size, index) => {
        const from = start * source.columns
        const block = cut(matrix(size, source.columns, source.data.subarray(from, from + size * source.columns)))
        answer.data.set(cut(finishes[index]!(orthogonalize(block), block)).data, from)
        start += size
      })
      return Array.from(turned(cut(answer)).data)
    }
  }
}

export type Scale = (outputs: number, inputs: number) => number

export const spectralScale: Scale = (outputs, inputs) => Math.sqrt(Math.max(1, outputs / inputs))

export const scaled =
  (scale: Scale): (() => Finish) =>
  () =>
  (o) =>
    combine(scale(o.rows, o.columns), o, 0, o)

/** NorMuon: rows over the roots of their averaged mean squares, then the norm of before. */
export const neuronwise =
  (beta2: number, scale: Scale): (() => Finish) =>
  () => {
    let v: number[] | undefined
    return (o) => {
      const means = Array.from({ length: o.rows }, (_, i) => {
        const row = o.data.subarray(i * o.columns, (i + 1) * o.columns)
        return frobenius(row) ** 2 / o.columns
      })
      v = means.map((mean, i) => beta2 * (v?.[i] ?? 0) + (1 - beta2) * mean)
      const divided = matrix(
        o.rows,
        o.columns,
        o.data.map((value, index) => value / Math.sqrt(v![Math.floor(index / o.columns)]!)),
      )
      const factor = (scale(o.rows, o.columns) * frobenius(o.data)) / frobenius(divided.data)
      return combine(factor, divided, 0, divided)
    }
  }

/** AdaMuon: elements over the roots of their averaged squares, then the root mean square that is asked for. */
export const elementwise =
  (beta2: number, epsilon: number, rms: number): (() => Finish) =>
  () => {
    let v: number[] | undefined
    return (o) => {
      v = Array.from(o.data, (value, i) => beta2 * (v?.[i] ?? 0) + (1 - beta2) * value ** 2)
      const divided = matrix(
        o.rows,
        o.columns,
        o.data.map((value, i) => value / (Math.sqrt(v![i]!) + epsilon)),
      )
      return combine((rms * Math.sqrt(o.data.length)) / frobenius(divided.data), divided, 0, divided)
    }
  }

/** Spectral descent: times the nuclear norm. */
export const nuclear = (): Finish => (o, from) => {
  const norm = o.data.reduce((sum, value, i) => sum + value * from.data[i]!, 0)
  return combine(norm, o, 0, o)
}
