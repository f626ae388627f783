// fp64 models of the rules, written from the formulas and independent of lib/: one parameter at a time, no stacking,
// no state but plain numbers. A model maps the gradient of one parameter to its direction, step by step.
import {
  combine,
  frobenius,
  identity,
  type Matrix,
  matrix,
  multiply,
  polarFactor,
  spectral,
  transpose,
} from './dense64.js'

export type Model = (shape: readonly number[]) => (gradient: ArrayLike<number>) => number[]

const zeros = (gradient: ArrayLike<number>) => new Array<number>(gradient.length).fill(0)

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

/** Five Newton-Schulz steps with Muon's coefficients, from A / |A|_F. */
function newtonSchulz(a: Matrix): Matrix {
  if (a.rows > a.columns) return transpose(newtonSchulz(transpose(a)))
  let x = combine(1 / frobenius(a.data), a, 0, a)
  for (let step = 0; step < 5; step++) {
    const gram = multiply(x, transpose(x))
    const polynomial = combine(-4.775, gram, 2.0315, multiply(gram, gram))
    x = combine(3.4445, x, 1, multiply(polynomial, x))
  }
  return x
}

export interface MuonModelOptions {
  readonly momentum: number
  readonly nesterov: boolean
  readonly isExact: boolean
  /** Rows and columns of the flattened weight. */
  readonly flatten: (shape: readonly number[]) => readonly [number, number]
  readonly scale: (rows: number, columns: number) => number
}

export function muonModel({ momentum, nesterov, isExact, flatten, scale }: MuonModelOptions): Model {
  return (shape) => {
    const [rows, columns] = flatten(shape)
    let m = matrix(rows, columns)
    return (gradient) => {
      const g = matrix(rows, columns, gradient)
      // Heavy ball on purpose: lib/ averages, which must make no difference.
      m = combine(momentum, m, 1, g)
      const b = nesterov ? combine(1, g, momentum, m) : m
      return Array.from((isExact ? polarFactor(b) : newtonSchulz(b)).data, (value) => scale(rows, columns) * value)
    }
  }
}

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
}

/** Unfolding along a dimension, by indices: row = index of the dimension, column = everything else. */
function unfold(shape: readonly number[], tensor: ArrayLike<number>, dimension: number): Matrix {
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

function refold(shape: readonly number[], unfolded: Matrix, dimension: number): number[] {
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
  const { beta1, beta2, ridge, every = 1, start = every } = options
  const exponent = options.exponent ?? 1 / (2 * shape.length)
  const factors = shape.map((size) => matrix(size, size))
  let roots = shape.map(identity)
  let average: number[] | undefined
  let t = 0
  return (gradient: ArrayLike<number>) => {
    t++
    shape.forEach((_, dimension) => {
      const g = unfold(shape, gradient, dimension)
      factors[dimension] = combine(beta2, factors[dimension]!, beta2 === 1 ? 1 : 1 - beta2, multiply(g, transpose(g)))
    })
    if (t === start || (t > start && t % every === 0)) {
      roots = factors.map((factor) => {
        const corrected = beta2 === 1 ? factor : combine(1 / (1 - beta2 ** t), factor, 0, factor)
        const epsilon = ridge(corrected)
        return spectral(corrected, (value) => (Math.max(value, 0) + epsilon) ** -exponent)
      })
    }
    const old = average ?? zeros(gradient)
    average = Array.from(gradient, (value, i) => beta1 * old[i]! + (1 - beta1) * value)
    const filtered = average.map((value) => value / (1 - beta1 ** t))
    if (t < start) return { direction: filtered, isStarted: false }
    const direction = shape.reduce(
      (tensor, _, dimension) => refold(shape, multiply(roots[dimension]!, unfold(shape, tensor, dimension)), dimension),
      filtered,
    )
    return { direction, isStarted: true }
  }
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
    return (gradient) => {
      const grafted = graft?.(gradient)
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
