// One step of Adam that moves the weights, and the squared norms, over the arrays of a network in one call; against the loops
// that a JavaScript program would write. n is the number of elements of an array, batch the number of arrays.
import { elementwiseUpdate, reduce } from '../lib/index.js'
import { relativeError } from '../test/matrices/zoo.js'
import { type Context, hold, type Own, type Peer } from './contest.js'
import { gaussianBatch } from './inputs.js'
import type { Measured } from './row.js'

const numbers = {
  mDecay: 0.9,
  mWeight: 0.1,
  vDecay: 0.999,
  vWeight: 0.001,
  fromM: 1.2,
  vScale: 1.5,
  epsilon: 1e-8,
  lr: 1e-3,
  shrinkage: 1e-5,
}

interface State {
  readonly gradient: Float32Array
  readonly m: Float32Array
  readonly v: Float32Array
  readonly w: Float32Array
}

/** Arrays of a step: a bias, a layer, all of a small network. */
const sizes = [
  [1000, 16],
  [100_000, 8],
  [1_000_000, 4],
] as const

export async function* rows(context: Context): AsyncGenerator<Measured> {
  for (const [n, batch] of context.quick ? sizes.slice(1) : sizes) {
    yield* await adam(context, n, batch)
    yield* await norms(context, n, batch)
  }
}

function fresh(n: number, batch: number): State[] {
  return Array.from({ length: batch }, (_, i) => {
    const draw = (field: number) => gaussianBatch(n, 'f32', 10 * i + field) as Float32Array
    return { gradient: draw(1), m: draw(2), v: draw(3).map((x) => x * x), w: draw(4) }
  })
}

function adam(context: Context, n: number, batch: number): Promise<Measured[]> {
  const ours = fresh(n, batch)
  const theirs = fresh(n, batch)
  const start = fresh(n, 1)[0]!
  const exact = Array.from(start.w, (w, i) => stepOf(start, w, i))
  const own: Own = {
    method: 'elementwiseUpdate',
    run: () =>
      void elementwiseUpdate(
        context.device,
        'adam',
        ours.map((state) => ({ ...state, ...numbers })),
      ),
    error: () => {
      const once = fresh(n, 1)
      elementwiseUpdate(
        context.device,
        'adam',
        once.map((state) => ({ ...state, ...numbers })),
      )
      return relativeError(once[0]!.w, exact)
    },
    flop: () => null,
  }
  const loops: Peer = {
    name: 'JavaScript loop',
    matrices: batch,
    run: () => {
      for (const state of theirs) loop(state)
    },
    error: () => {
      const once = fresh(n, 1)[0]!
      loop(once)
      return relativeError(once.w, exact)
    },
  }
  return hold({ op: 'adam', n, batch, dtype: 'f32', condition: null, own: [own], peers: [loops] }, context)
}

/** Element i of w after one step, in f64. */
function stepOf({ gradient, m, v }: State, w: number, i: number): number {
  const { mDecay, mWeight, vDecay, vWeight, fromM, vScale, epsilon, lr, shrinkage } = numbers
  const g = gradient[i]!
  const direction =
    (fromM * (mDecay * m[i]! + mWeight * g)) / (Math.sqrt(vScale * (vDecay * v[i]! + vWeight * g * g)) + epsilon)
  return w - lr * direction - shrinkage * w
}

function loop({ gradient, m, v, w }: State): void {
  const { mDecay, mWeight, vDecay, vWeight, fromM, vScale, epsilon, lr, shrinkage } = numbers
  for (let i = 0; i < w.length; i++) {
    const g = gradient[i]!
    m[i] = mDecay * m[i]! + mWeight * g
    v[i] = vDecay * v[i]! + vWeight * g * g
    w[i] = w[i]! - (lr * fromM * m[i]!) / (Math.sqrt(vScale * v[i]!) + epsilon) - shrinkage * w[i]!
  }
}

function norms(context: Context, n: number, batch: number): Promise<Measured[]> {
  const arrays = fresh(n, batch).map(({ w }) => ({ x: w }))
  const exact = arrays.map(({ x }) => sumOfSquares(x))
  let found: ArrayLike<number> = []
  let looped: number[] = []
  const own: Own = {
    method: 'reduce',
    run: () => {
      found = reduce(context.device, 'dot', arrays)
    },
    error: () => relativeError(found, exact),
    flop: () => 2 * n * batch,
  }
  const loops: Peer = {
    name: 'JavaScript loop',
    matrices: batch,
    run: () => {
      looped = arrays.map(({ x }) => sumOfSquares(x))
    },
    error: () => relativeError(looped, exact),
  }
  return hold({ op: 'norms', n, batch, dtype: 'f32', condition: null, own: [own], peers: [loops] }, context)
}

function sumOfSquares(x: Float32Array): number {
  let sum = 0
  for (let i = 0; i < x.length; i++) sum += x[i]! * x[i]!
  return sum
}
