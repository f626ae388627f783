// Kronecker factors of one stack of matrices that whiten it; formulas: psgd-kron.ts.
import { gram } from '../../linalg/gram.js'
import { kronApply } from '../../linalg/kron-apply.js'
import { matmul } from '../../linalg/matmul.js'
import { normEstimate } from '../../linalg/norm-estimate.js'
import { reduce } from '../../linalg/reduce.js'
import type { Tensor } from '../../tensor.js'
import { updateAll } from '../elementwise.js'
import type { Gradients, ParameterSpec } from '../rule.js'
import type { Parts, TensorPool } from '../tensor-pool.js'
import { gatherMembers, type Side, type Stack, spreadDiagonals, sumSquares } from './matrix-stacks.js'
import { fillSigns } from './probes.js'

/** Q of one side for all members, and scratch of its size. */
interface Factor {
  readonly side: Side
  readonly where: 'left' | 'right'
  readonly factor: Parts
  readonly lipschitz: Float64Array
  /** t, and later R. */
  readonly moment: Parts
  /** t Q, and later R Q; R^2 Q. */
  readonly product: Parts
  readonly second: Parts
  /** I, to transpose with. */
  readonly identity: Tensor | undefined
}

/** A stack with its factors. */
export interface Whitening {
  readonly stack: Stack
  readonly factors: readonly Factor[]
  /** Updates of each member so far; 0 before the first gradient other than 0. */
  readonly updates: Float64Array
  readonly input: Parts
  readonly middle: Parts
  readonly output: Parts
  /** q_L^2 (x) q_R^2 of the diagonal sides. */
  readonly spread: Parts | undefined
  readonly noise: Float32Array
}

/** What an update is made with. */
export interface WhiteningSettings {
  readonly rate: number
  readonly betaL: number
  readonly damping: number
  readonly seed: number
  readonly step: number
  /** Whether members take part that have factors already. */
  readonly isDue: boolean
}

export function createWhitening(pool: TensorPool, stack: Stack): Whitening {
  const { rows, columns, members, left, right } = stack
  const count = members.length
  const factorOf = (side: Side, where: Factor['where']): Factor => {
    const shape = side.kind === 'dense' ? [side.size, side.size] : [side.size, 1]
    const identity = side.kind === 'dense' ? pool.zeros([1, side.size, side.size]) : undefined
    identity?.write(Float32Array.from({ length: side.size ** 2 }, (_, i) => (i % (side.size + 1) === 0 ? 1 : 0)))
    return {
      side,
      where,
      factor: pool.parts(count, shape),
      lipschitz: new Float64Array(count),
      moment: pool.parts(count, shape),
      product: pool.parts(count, shape),
      second: pool.parts(count, shape),
      identity,
    }
  }
  const factors = [factorOf(left, 'left'), ...(right === undefined ? [] : [factorOf(right, 'right')])]
  const matrices = () => pool.parts(count, [rows, columns])
  return {
    stack,
    factors,
    updates: new Float64Array(count),
    input: matrices(),
    middle: matrices(),
    output: matrices(),
    spread: factors.some(({ side }) => side.kind === 'diagonal') ? matrices() : undefined,
    noise: new Float32Array(count * rows * columns),
  }
}

/** output <- P input */
function applyFactors({ stack, factors, input, middle, output, spread }: Whitening): void {
  const find = (where: Factor['where'], kind: Side['kind']) =>
    factors.find((factor) => factor.where === where && factor.side.kind === kind)
  const left = find('left', 'dense')?.factor.tensor ?? null
  const right = find('right', 'dense')?.factor.tensor ?? null
  let result = input
  if (left !== null || right !== null) {
    kronApply(left, input.tensor, right, { transposeB: right !== null, out: middle.tensor })
    kronApply(left, middle.tensor, right, { transposeA: left !== null, out: output.tensor })
    result = output
  }
  if (spread === undefined) return
  const squared = (where: Factor['where']): Tensor | undefined => {
    const found = find(where, 'diagonal')
    if (found === undefined) return undefined
    multiply(found.factor.tensor, found.factor.tensor, found.second.tensor)
    return found.second.tensor
  }
  spreadDiagonals(stack, squared('left'), squared('right'), spread.tensor)
  multiply(result.tensor, spread.tensor, output.tensor)
}

/** into <- x y, element by element. */
function multiply(x: Tensor, y: Tensor, into: Tensor): void {
  updateAll(into.device, 'product', [{ gradient: x, m: y, direction: into, fromGradient: 1 }])
}

/** Moves the factors of the members that have a gradient other than 0; where none is due, of those that had none before. */
export function updateWhitening(
  whitening: Whitening,
  gradients: Gradients,
  parameters: readonly ParameterSpec[],
  settings: WhiteningSettings,
): void {
  const { stack, factors, input, output, middle, updates } = whitening
  const { device } = input.tensor
  const size = stack.rows * stack.columns
  const takesPart = (member: number) => settings.isDue || updates[member] === 0
  if (!stack.members.some((_, member) => takesPart(member))) return
  gatherMembers(device, stack, gradients, input)
  const squares = reduce(
    device,
    'dot',
    input.parts.map((x) => ({ x })),
  )
  const active = stack.members.flatMap((_, member) => (squares[member]! > 0 && takesPart(member) ? [member] : []))
  if (active.length === 0) return
  const rms = Array.from(squares, (square) => Math.sqrt(square / size))
  start(whitening, active, rms)
  if (settings.damping > 0) addNoise(whitening, active, rms, parameters, settings)
  applyFactors(whitening)
  if (factors.some(({ side }) => side.kind === 'diagonal')) multiply(output.tensor, output.tensor, middle.tensor)
  for (const factor of factors) {
    if (factor.side.kind === 'dense') gram(output.tensor, { side: factor.where, out: factor.moment.tensor })
    else sumSquares(stack, middle.tensor, factor.where, factor.moment.tensor)
    shrink(factor, active, size, settings)
    if (factor.side.kind === 'dense') makeSymmetric(factor, active)
  }
  for (const member of active) updates[member]!++
  balance(whitening, active)
}

/** Q = c I with RMS(P g) = 1, for members that see their first gradient. */
function start({ factors, updates }: Whitening, active: readonly number[], rms: readonly number[]): void {
  for (const member of active.filter((index) => updates[index] === 0)) {
    const scale = rms[member]! ** (-0.5 / factors.length)
    for (const { side, factor } of factors) {
      const step = side.kind === 'dense' ? side.size + 1 : 1
      const length = factor.parts[member]!.size
      factor.parts[member]!.write(Float32Array.from({ length }, (_, i) => (i % step === 0 ? scale : 0)))
    }
  }
}

/** input <- input + damping RMS z, z of random signs. */
function addNoise(
  { stack, input, noise }: Whitening,
  active: readonly number[],
  rms: readonly number[],
  parameters: readonly ParameterSpec[],
  { damping, seed, step }: WhiteningSettings,
): void {
  const size = stack.rows * stack.columns
  const entries = active.map((member) => {
    const signs = noise.subarray(member * size, (member + 1) * size)
    fillSigns(signs, seed, step, parameters[stack.members[member]!]!.name)
    const x = input.parts[member]!
    return { gradient: x, m: signs, direction: x, fromGradient: 1, fromM: damping * rms[member]! }
  })
  updateAll(input.tensor.device, 'combine', entries)
}

/** Q <- Q - (lr / L) (t - n / d) Q */
function shrink(factor: Factor, active: readonly number[], elements: number, { rate, betaL }: WhiteningSettings): void {
  const { side, moment, product, lipschitz } = factor
  const { device } = moment.tensor
  const target = elements / side.size
  const norms =
    side.kind === 'dense'
      ? spectralNorms(moment.tensor)
      : reduce(
          device,
          'largest',
          moment.parts.map((x) => ({ x })),
        )
  if (side.kind === 'dense') matmul(moment.tensor, factor.factor.tensor, { out: product.tensor })
  else multiply(moment.tensor, factor.factor.tensor, product.tensor)
  const entries = active.map((member) => {
    const bound = norms[member]! + target
    // A spike of the gradient beyond the range of fp32 must not enter.
    if (!Number.isFinite(bound)) return null
    lipschitz[member] = Math.max(betaL * lipschitz[member]! + (1 - betaL) * bound, bound)
    const length = rate / lipschitz[member]!
    return {
      gradient: product.parts[member]!,
      fromGradient: 1,
      w: factor.factor.parts[member]!,
      lr: length,
      shrinkage: -length * target,
    }
  })
  updateAll(device, 'combine', entries)
}

function spectralNorms(matrices: Tensor): ArrayLike<number> {
  const { value } = normEstimate(matrices, { kind: 'spectral-lower' })
  const norms = value.data()
  value.dispose()
  return norms
}

/** One rotation of Q towards a symmetric matrix: the first terms of the orthogonal Procrustes problem's series. */
function makeSymmetric({ factor, moment: skew, product, second, identity }: Factor, active: readonly number[]): void {
  const { device } = factor.tensor
  updateAll(device, 'combine', [{ gradient: factor.tensor, direction: skew.tensor, fromGradient: 1 }])
  matmul(factor.tensor, identity!, { transposeA: true, beta: -1, out: skew.tensor })
  const norms = spectralNorms(skew.tensor)
  matmul(skew.tensor, factor.tensor, { out: product.tensor })
  matmul(skew.tensor, product.tensor, { out: second.tensor })
  // tr(R A) = -<R, A> for a skew R.
  const traces = reduce(
    device,
    'dot',
    active.flatMap((member) => [
      { x: skew.parts[member]!, y: factor.parts[member]! },
      { x: skew.parts[member]!, y: product.parts[member]! },
    ]),
  )
  const entries = active.map((member, index) => {
    const norm = norms[member]!
    if (!(norm > 0)) return null
    const first = -traces[2 * index]! / norm
    const curvature = -traces[2 * index + 1]! / norm ** 2
    const angle = (curvature < 0 ? Math.min(0.125, Math.max(0, -first / curvature)) : 0.125) / norm
    return {
      gradient: product.parts[member]!,
      m: second.parts[member]!,
      fromGradient: angle,
      fromM: 0.5 * angle ** 2,
      w: factor.parts[member]!,
      lr: -1,
    }
  })
  updateAll(device, 'combine', entries)
}

const BALANCE_EVERY = 100

/** Makes the largest elements of a member's factors equal, their product unchanged. */
function balance({ factors, updates }: Whitening, active: readonly number[]): void {
  const due = active.filter((member) => updates[member]! % BALANCE_EVERY === 0)
  if (due.length === 0 || factors.length < 2) return
  const { device } = factors[0]!.factor.tensor
  const places = due.flatMap((member) => factors.map(({ factor }) => factor.parts[member]!))
  const largest = reduce(
    device,
    'largest',
    places.map((x) => ({ x })),
  )
  const entries = places.map((gradient, index) => {
    const first = index - (index % factors.length)
    const own = largest.subarray(first, first + factors.length)
    const mean = Math.exp(own.reduce((sum, value) => sum + Math.log(value), 0) / factors.length)
    return { gradient, direction: gradient, fromGradient: mean / largest[index]! }
  })
  updateAll(device, 'combine', entries)
}

/** Leaves P m in `output`, no larger than `maxRms`. */
export function precondition(whitening: Whitening, filtered: Gradients, maxRms: number): void {
  const { stack, input, output } = whitening
  const { device } = input.tensor
  if (stack.members.every((parameter) => filtered[parameter] === null)) return
  gatherMembers(device, stack, filtered, input)
  applyFactors(whitening)
  const size = stack.rows * stack.columns
  const squares = reduce(
    device,
    'dot',
    output.parts.map((x) => ({ x })),
  )
  const entries = output.parts.map((gradient, member) => {
    const rms = Math.sqrt(squares[member]! / size)
    return rms > maxRms ? { gradient, direction: gradient, fromGradient: maxRms / rms } : null
  })
  updateAll(device, 'combine', entries)
}
