import { combine, frobenius, identity, type Matrix, matrix, multiply, spectral, transpose } from '../dense64.js'
import { type Model, zeros } from './model.js'

export interface ShampooModelOptions {
  readonly beta1: number
  /** 1 is the sum. */
  readonly beta2: number
  readonly exponent?: number
  /** epsilon from the corrected factor. */
  readonly ridge: (factor: Matrix) => number
  readonly blockSize?: number
  readonly every?: number
  readonly start?: number
  readonly graft?: Model
  readonly momentum?: number
  /** Factors of the gradient whitened along the other dimensions, over their sizes (KL-Shampoo). */
  readonly isWhitened?: boolean
  /** Which dimensions keep the diagonal of their factor, or nothing. */
  readonly kind?: (shape: readonly number[], dimension: number) => 'full' | 'diagonal' | 'none'
  /** Factors are multiplied by trace^{-e}. */
  readonly traceExponent?: number
  readonly statisticsEvery?: number
}

/** Unfolding along a dimension, by indices: row = index of the dimension, column = everything else. */
export function unfold(shape: readonly number[], tensor: ArrayLike<number>, dimension: number): Matrix {
  const size = shape[dimension]!
  const inner = shape.slice(dimension + 1).reduce((product, length) => product * length, 1)
  const result = matrix(size, tensor.length / size)
  for (let index = 0; index < tensor.length; index++) {
    const row = Math.floor(index / inner) % size
    const column = Math.floor(index / (inner * size)) * inner + (index % inner)
    result.data[row * result.columns + column] = tensor[index]!
  }
  return result
}

export function refold(shape: readonly number[], unfolded: Matrix, dimension: number): number[] {
  const size = shape[dimension]!
  const inner = shape.slice(dimension + 1).reduce((product, length) => product * length, 1)
  return Array.from({ length: unfolded.data.length }, (_, index) => {
    const row = Math.floor(index / inner) % size
    const column = Math.floor(index / (inner * size)) * inner + (index % inner)
    return unfolded.data[row * unfolded.columns + column]!
  })
}

/** Shampoo of one block, without graft and momentum. */
function shampooBlock(shape: readonly number[], options: ShampooModelOptions) {
  const { beta1, beta2, ridge, every = 1, start = every, traceExponent = 0, statisticsEvery = 1 } = options
  const kinds = shape.map((_, dimension) => options.kind?.(shape, dimension) ?? 'full')
  const exponent = options.exponent ?? 1 / (2 * shape.length)
  const factors = shape.map((size) => matrix(size, size))
  let roots = shape.map(identity)
  let average: number[] | undefined
  let t = 0
  let taken = 0
  const rooted = (tensor: readonly number[], omitted = -1) =>
    shape.reduce<readonly number[]>((result, _, dimension) => {
      if (dimension === omitted) return result
      return refold(shape, multiply(roots[dimension]!, unfold(shape, result, dimension)), dimension)
    }, tensor)
  return (gradient: ArrayLike<number>) => {
    t++
    if (t === 1 || t % statisticsEvery === 0) {
      taken++
      const whitened = shape.map((_, d) => (options.isWhitened ? rooted(Array.from(gradient), d) : gradient))
      shape.forEach((size, dimension) => {
        const g = unfold(shape, whitened[dimension]!, dimension)
        const weight = (beta2 === 1 ? 1 : 1 - beta2) * (options.isWhitened ? size / gradient.length : 1)
        factors[dimension] = combine(beta2, factors[dimension]!, weight, multiply(g, transpose(g)))
      })
    }
    if (t === start || (t > start && t % every === 0)) {
      roots = factors.map((factor, dimension) => {
        if (kinds[dimension] === 'none') return identity(shape[dimension]!)
        const kept = kinds[dimension] === 'full' ? factor : diagonalOf(factor)
        const corrected = beta2 === 1 ? kept : combine(1 / (1 - beta2 ** taken), kept, 0, kept)
        const trace = corrected.data.filter((_, i) => i % (corrected.rows + 1) === 0).reduce((sum, x) => sum + x, 0)
        const scaled = combine(trace ** -traceExponent, corrected, 0, corrected)
        const epsilon = ridge(scaled)
        return spectral(scaled, (value) => (Math.max(value, 0) + epsilon) ** -exponent)
      })
    }
    const old = average ?? zeros(gradient)
    average = Array.from(gradient, (value, i) => beta1 * old[i]! + (1 - beta1) * value)
    const filtered = average.map((value) => value / (1 - beta1 ** t))
    if (t < start) return { direction: filtered, isStarted: false }
    return { direction: rooted(filtered), isStarted: true }
  }
}

function diagonalOf(a: Matrix): Matrix {
  return matrix(
    a.rows,
    a.rows,
    a.data.map((value, i) => (i % (a.rows + 1) === 0 ? value : 0)),
  )
}

/** Shampoo of a parameter whose blocks are rows of at most blockSize (matrices: a grid of blocks). */
export function shampooModel(options: ShampooModelOptions): Model {
  return (shape) => {
    const { blockSize = Number.POSITIVE_INFINITY, momentum = 0 } = options
    // A scalar is a vector of one element.
    const blocks = boxes(shape.length === 0 ? [1] : shape, blockSize).map((indices) => ({
      indices: indices.elements,
      run: shampooBlock(indices.shape, options),
    }))
    const graft = options.graft?.(shape)
    let ball: number[] | undefined
    return (gradient, value, context) => {
      const grafted = graft?.(gradient, value, context)
      const result = zeros(gradient)
      for (const { indices, run } of blocks) {
        const { direction, isStarted } = run(indices.map((index) => gradient[index]!))
        const wanted = grafted === undefined ? direction : indices.map((index) => grafted[index]!)
        const scale = frobenius(wanted) / (frobenius(direction) + 1e-16)
        indices.forEach((index, i) => {
          result[index] = isStarted ? direction[i]! * (grafted === undefined ? 1 : scale) : wanted[i]!
        })
      }
      if (momentum === 0) return result
      const old = ball ?? zeros(gradient)
      ball = result.map((value, i) => momentum * old[i]! + value)
      return ball
    }
  }
}

/** Element indices of the blocks, in a way that shares nothing with lib/: every element looks up its block. */
function boxes(shape: readonly number[], blockSize: number): { shape: number[]; elements: number[] }[] {
  const total = shape.reduce((product, dimension) => product * dimension, 1)
  const found = new Map<string, { coordinates: number[][]; elements: number[] }>()
  for (let index = 0; index < total; index++) {
    let rest = index
    const coordinates = [...shape].reverse().map((size) => {
      const coordinate = rest % size
      rest = Math.floor(rest / size)
      return coordinate
    })
    coordinates.reverse()
    const key = coordinates.map((coordinate) => Math.floor(coordinate / blockSize)).join()
    const box = found.get(key) ?? { coordinates: [], elements: [] }
    box.coordinates.push(coordinates)
    box.elements.push(index)
    found.set(key, box)
  }
  return [...found.values()].map(({ coordinates, elements }) => ({
    elements,
    shape: shape.map((_, dimension) => new Set(coordinates.map((coordinate) => coordinate[dimension])).size),
  }))
}
