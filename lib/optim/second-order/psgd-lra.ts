import { checkFields } from '../../errors.js'
import { matmul } from '../../linalg/matmul.js'
import { qr } from '../../linalg/qr.js'
import { reduce } from '../../linalg/reduce.js'
import { triangularSolve } from '../../linalg/triangular-solve.js'
import { onHost } from '../../precondition/arrays.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn } from '../../schedule/validate.js'
import type { Tensor } from '../../tensor.js'
import { updateAll } from '../elementwise.js'
import { type FilterState, gradientFilter } from '../filter.js'
import type { Rule } from '../rule.js'
import { groupPlan } from './group-plan.js'
import { GroupSpace, type GroupVector } from './group-space.js'
import { fillSigns, uniformAt } from './probes.js'

/** Options of {@link psgdLra}. */
export interface PsgdLraOptions {
  /** Rank r of the correction, >= 1. Default 10. */
  readonly rank?: number
  /** Decay of the average that is preconditioned, 0 <= beta1 < 1. Default 0.9; 0 stores none. */
  readonly beta1?: Schedule
  /** Step of the preconditioner, 0 < preconditionerLr < 1. Default 0.1. */
  readonly preconditionerLr?: Schedule
  /** Probability that a step updates the preconditioner, 0 to 1. Default 1. */
  readonly updateProbability?: Schedule
  /** Largest RMS of the direction over the group, > 0. Default 2. */
  readonly maxRms?: Schedule
  /** Seed of the probes and of U and V, an integer. Default 0. */
  readonly seed?: number
}

/** One row [1, n], or r of them. */
interface Rows {
  readonly matrix: Tensor
  readonly vectors: readonly GroupVector[]
}

/** State of {@link psgdLra}. */
export interface PsgdLraState {
  readonly space: GroupSpace
  readonly filter: FilterState
  /** U^T and V^T, [r, n]. */
  readonly u: Rows
  readonly v: Rows
  /** [1, n] */
  readonly d: Rows
  /** [updates so far] */
  readonly updates: Float64Array
  readonly probe: Float32Array
  readonly scratch: Readonly<Record<'gradient' | 'a' | 'b' | 'pg' | 'inverse' | 'product', Rows>>
}

/**
 * PSGD with a diagonal and a low rank, whitening the gradient of the whole group: P = Q^T Q, Q = (I + U V^T) diag(d), with
 * E[(P g)(P g)^T] = I. With z of random signs, a = Q g and b = Q^{-T} z, a step of length lr on a group of matrices,
 *
 *     e = (P g) o g - z o (P^{-1} z),       d <- d - lr / max|e| d o e
 *     U <- U - mu (a (a^T V) - b (b^T V)) (I + V^T U),              mu = lr / (|a| |V V^T a| + |b| |V V^T b|)
 *     or, in every other update,
 *     V <- V - mu ((a + V U^T a) (a^T U) - (b + V U^T b) (b^T U)),  mu = lr / (|a| |U U^T a| + |b| |U U^T b|)
 *
 * and D = P m of the gradient's average m. Inverses by Woodbury's identity: r x r systems. The first gradient other than 0 sets
 * d so that RMS(P g) = 1; every 100 updates U and V get equal norms.
 *
 * Couples all parameters of a group. A step in which one of them has no gradient leaves the preconditioner alone and takes the
 * principal submatrix of the others. State: 2 r + 1 (with beta1 one more) numbers an element. A step: 9 matmul of r x n.
 *
 * Source: Li, arXiv 2211.04422; Pooladzandi and Li, arXiv 2402.04553.
 */
export function psgdLra(options: PsgdLraOptions = {}): Rule<PsgdLraState> {
  const owner = 'psgdLra'
  checkFields(owner, options, ['rank', 'beta1', 'preconditionerLr', 'updateProbability', 'maxRms', 'seed'])
  const rank = numberIn(owner, 'rank', options.rank ?? 10, { min: 1, integer: true })
  const beta1 = options.beta1 ?? 0.9
  const filter = gradientFilter(owner, beta1, beta1, true)
  const rate = hyperparameter(owner, 'preconditionerLr', options.preconditionerLr ?? 0.1, { above: 0, below: 1 })
  const probability = hyperparameter(owner, 'updateProbability', options.updateProbability ?? 1, { min: 0, max: 1 })
  const maxRms = hyperparameter(owner, 'maxRms', options.maxRms ?? 2, { above: 0 })
  const seed = numberIn(owner, 'seed', options.seed ?? 0, { integer: true })
  return {
    name: owner,
    init: (parameters, device) => {
      const space = new GroupSpace(parameters, device)
      const row = () => space.rows(1)
      return {
        space,
        filter: filter.init(parameters, device),
        u: space.rows(Math.min(rank, Math.max(1, space.size))),
        v: space.rows(Math.min(rank, Math.max(1, space.size))),
        d: row(),
        updates: new Float64Array(1),
        probe: new Float32Array(space.size),
        scratch: { gradient: row(), a: row(), b: row(), pg: row(), inverse: row(), product: row() },
      }
    },
    update: (gradients, state, { step, clock }) => {
      const { space, scratch, updates } = state
      const [gradient, direction] = [scratch.gradient.vectors[0]!, scratch.pg.vectors[0]!]
      clock.time('statistics', () => {
        if (gradients.some((entry) => entry === null)) return
        if (updates[0]! > 0 && uniformAt(seed, step) >= probability(step)) return
        space.gather(gradients, gradient)
        const squares = space.dot(gradient, gradient)
        if (squares === 0) return
        if (updates[0] === 0) start(state, Math.sqrt(squares / space.size), seed)
        fillSigns(state.probe, seed, step, '')
        updatePreconditioner(state, rate(step))
      })
      const filtered = filter.update(gradients, state.filter, step)
      clock.time('apply', () => {
        space.gather(filtered, gradient)
        timesQ(state, scratch.gradient, scratch.a)
        timesQTransposed(state, scratch.a, scratch.pg)
        const rms = Math.sqrt(space.dot(direction, direction) / space.size)
        if (rms > maxRms(step)) space.scale(maxRms(step) / rms, direction, direction)
      })
      return space.directions(direction, filtered)
    },
    describe: ({ space, filter: { parameters }, u }) =>
      groupPlan(owner, space, {
        flopsPerStep: (36 * u.vectors.length + 30) * space.size,
        bytes: 4 * space.size + (parameters.length === 0 ? 0 : 8 * space.size),
        matrix: { shape: [u.vectors.length, space.size], kernels: ['matmul x 20', 'qr'], calls: 26 },
      }),
    slots: ({ space, filter: average, u, v, d, updates }) => [
      ...filter.slots(average),
      ...u.vectors.flatMap((vector, index) => space.slots(`u${index}`, vector)),
      ...v.vectors.flatMap((vector, index) => space.slots(`v${index}`, vector)),
      ...space.slots('d', d.vectors[0]!),
      ...space.shared('updates', updates),
    ],
    report: () => [],
    dispose: ({ space, filter: average }) => {
      space.dispose()
      filter.dispose(average)
    },
  }
}

/** d = RMS^{-1/2}; U and V of random signs with |U| = |V| = 0.1. */
function start({ space, u, v, d }: PsgdLraState, rms: number, seed: number): void {
  const signs = new Float32Array(u.matrix.size)
  const size = 0.1 / Math.sqrt(signs.length)
  for (const [name, { matrix }] of [
    ['u', u],
    ['v', v],
  ] as const) {
    fillSigns(signs, seed, 0, name)
    matrix.write(signs.map((sign) => sign * size))
  }
  d.matrix.write(new Float32Array(space.size).fill(rms ** -0.5))
}

function multiply(x: Tensor, y: Tensor | Float32Array, into: Tensor, factor = 1): void {
  updateAll(into.device, 'product', [{ gradient: x, m: y, direction: into, fromGradient: factor }])
}

/** row <- row + (row A^T) B for A, B [r, n]: (I + B^T A) x; returns A x [1, r]. */
function addLowRank(row: Tensor, a: Tensor, b: Tensor, factor = 1): Tensor {
  const inner = matmul(row, a, { transposeB: true })
  matmul(inner, b, { alpha: factor, beta: 1, out: row })
  return inner
}

/** into <- (I + U V^T) (d o x) */
function timesQ({ u, v, d }: PsgdLraState, x: Rows, into: Rows): void {
  multiply(x.matrix, d.matrix, into.matrix)
  addLowRank(into.matrix, v.matrix, u.matrix).dispose()
}

/** into <- d o ((I + V U^T) x) */
function timesQTransposed({ space, u, v, d }: PsgdLraState, x: Rows, into: Rows): void {
  space.scale(1, x.vectors[0]!, into.vectors[0]!)
  addLowRank(into.matrix, u.matrix, v.matrix).dispose()
  multiply(into.matrix, d.matrix, into.matrix)
}

const BALANCE_EVERY = 100

function updatePreconditioner(state: PsgdLraState, rate: number): void {
  const { space, u, v, d, updates, probe, scratch } = state
  const { gradient, a, b, pg, inverse, product } = scratch
  const { device } = space
  timesQ(state, gradient, a)
  timesQTransposed(state, a, pg)
  using capacitance = matmul(v.matrix, u.matrix, { transposeB: true })
  addIdentity(capacitance)
  const { q, r } = qr(capacitance, { onFailure: 'throw' })
  using rotation = q!
  using triangle = r
  // b = (I + V U^T)^{-1} (z / d) = y - V M^{-T} U^T y with M = I + V^T U;  P^{-1} z = ((I + U V^T)^{-1} b) / d.
  const quotient = { v: d.matrix, fromGradient: 1, vScale: 1 }
  updateAll(device, 'quotient', [{ ...quotient, gradient: probe, direction: b.matrix }])
  subtractSolved(b.matrix, u.matrix, v.matrix, rotation, triangle, true)
  space.scale(1, b.vectors[0]!, inverse.vectors[0]!)
  subtractSolved(inverse.matrix, v.matrix, u.matrix, rotation, triangle, false)
  updateAll(device, 'quotient', [{ ...quotient, gradient: inverse.matrix, direction: inverse.matrix }])
  moveFactor(state, capacitance, rate)
  // e = (P g) o g - z o (P^{-1} z)
  multiply(pg.matrix, gradient.matrix, product.matrix)
  multiply(inverse.matrix, probe, inverse.matrix)
  space.combine(1, product.vectors[0]!, -1, inverse.vectors[0]!, product.vectors[0]!)
  const [largest] = reduce(device, 'largest', [{ x: product.matrix }])
  multiply(product.matrix, d.matrix, product.matrix)
  if (largest! > 0 && Number.isFinite(largest))
    space.combine(1, d.vectors[0]!, -rate / largest!, product.vectors[0]!, d.vectors[0]!)
  updates[0]!++
  if (updates[0]! % BALANCE_EVERY === 0) balance(state)
}

/** row <- row - B^T M^{-1} A row (or M^{-T}), M = Q R. */
function subtractSolved(row: Tensor, a: Tensor, b: Tensor, q: Tensor, r: Tensor, isTransposed: boolean): void {
  using right = matmul(a, row, { transposeB: true })
  using rotated = isTransposed ? undefined : matmul(q, right, { transposeA: true })
  const { value } = triangularSolve(r, rotated ?? right, { upper: true, transpose: isTransposed, onFailure: 'nan' })
  using solved = value
  using weights = isTransposed ? matmul(q, solved) : undefined
  matmul(weights ?? solved, b, { transposeA: true, alpha: -1, beta: 1, out: row })
}

/** Moves U in odd and V in even updates. */
function moveFactor({ space, u, v, updates, scratch }: PsgdLraState, capacitance: Tensor, rate: number): void {
  const { a, b, product } = scratch
  const isU = updates[0]! % 2 === 0
  const other = isU ? v : u
  const moved = isU ? u : v
  using alongA = matmul(a.matrix, other.matrix, { transposeB: true })
  using alongB = matmul(b.matrix, other.matrix, { transposeB: true })
  const weight = (row: Rows, along: Tensor) => {
    matmul(along, other.matrix, { out: product.matrix })
    const [own, back] = space.dots([row, product].map(({ vectors: [x] }) => [x!, x!] as const)) as [number, number]
    return Math.sqrt(own * back)
  }
  const length = weight(a, alongA) + weight(b, alongB)
  if (!(length > 0 && Number.isFinite(length))) return
  const step = rate / length
  if (isU) {
    using towardsA = matmul(alongA, capacitance)
    using towardsB = matmul(alongB, capacitance)
    matmul(towardsA, a.matrix, { transposeA: true, alpha: -step, beta: 1, out: moved.matrix })
    matmul(towardsB, b.matrix, { transposeA: true, alpha: step, beta: 1, out: moved.matrix })
    return
  }
  // a + V U^T a and b + V U^T b, from V before it moves.
  for (const [row, along] of [
    [a, alongA],
    [b, alongB],
  ] as const) {
    matmul(along, moved.matrix, { beta: 1, out: row.matrix })
  }
  matmul(alongA, a.matrix, { transposeA: true, alpha: -step, beta: 1, out: moved.matrix })
  matmul(alongB, b.matrix, { transposeA: true, alpha: step, beta: 1, out: moved.matrix })
}

function addIdentity(matrix: Tensor): void {
  const data = onHost(matrix)
  const n = Math.sqrt(data.length)
  matrix.write(data.map((value, i) => (i % (n + 1) === 0 ? value + 1 : value)))
}

/** Equal norms of U and V, U V^T unchanged. */
function balance({ u, v }: PsgdLraState): void {
  const { device } = u.matrix
  const [uu, vv] = reduce(device, 'dot', [{ x: u.matrix }, { x: v.matrix }]) as unknown as [number, number]
  const factor = (vv / uu) ** 0.25
  updateAll(device, 'combine', [
    { gradient: u.matrix, direction: u.matrix, fromGradient: factor },
    { gradient: v.matrix, direction: v.matrix, fromGradient: 1 / factor },
  ])
}
