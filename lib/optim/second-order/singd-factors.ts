// Inverse-free factors of one stack of matrices; formulas: singd.ts. Kept transposed, Q = C^T or K^T, so that X = Q_L G Q_R^T.
import { gram } from '../../linalg/gram.js'
import { kronApply } from '../../linalg/kron-apply.js'
import { matmul } from '../../linalg/matmul.js'
import { reduce } from '../../linalg/reduce.js'
import type { Tensor } from '../../tensor.js'
import { updateAll } from '../elementwise.js'
import type { Gradients } from '../rule.js'
import type { Parts, TensorPool } from '../tensor-pool.js'
import { gatherMembers, type Side, type Stack, spreadDiagonals, sumSquares } from './matrix-stacks.js'

/** Q of one side for all members, and scratch of its size. */
interface Factor {
  readonly side: Side
  readonly where: 'left' | 'right'
  readonly factor: Parts
  readonly momentum: Parts
  /** X X^T or X^T X; then m Q. */
  readonly moment: Parts
  /** Q Q^T */
  readonly own: Parts
  /** I, or ones for a diagonal factor. */
  readonly unit: Tensor
}

/** A stack with its factors. */
export interface InverseFactors {
  readonly stack: Stack
  readonly factors: readonly Factor[]
  readonly input: Parts
  /** X */
  readonly whitened: Parts
  readonly output: Parts
  /** q_L (x) q_R of the diagonal sides. */
  readonly spread: Parts | undefined
  readonly squares: Parts | undefined
}

/** What an update is made with. */
export interface InverseSettings {
  readonly rate: number
  readonly decay: number
  readonly damping: number
  readonly maxChange: number
}

export function createInverse(pool: TensorPool, stack: Stack): InverseFactors {
  const { rows, columns, members, left, right } = stack
  const count = members.length
  const factorOf = (side: Side, where: Factor['where']): Factor => {
    const shape = side.kind === 'dense' ? [side.size, side.size] : [side.size, 1]
    const step = side.kind === 'dense' ? side.size + 1 : 1
    const identity = Float32Array.from({ length: shape[0]! * shape[1]! }, (_, i) => (i % step === 0 ? 1 : 0))
    const unit = pool.zeros([identity.length])
    unit.write(identity)
    const factor = pool.parts(count, shape)
    for (const part of factor.parts) part.write(identity)
    return {
      side,
      where,
      factor,
      momentum: pool.parts(count, shape),
      moment: pool.parts(count, shape),
      own: pool.parts(count, shape),
      unit,
    }
  }
  const factors = [factorOf(left, 'left'), ...(right === undefined ? [] : [factorOf(right, 'right')])]
  const matrices = () => pool.parts(count, [rows, columns])
  const hasDiagonal = factors.some(({ side }) => side.kind === 'diagonal')
  return {
    stack,
    factors,
    input: matrices(),
    whitened: matrices(),
    output: matrices(),
    spread: hasDiagonal ? matrices() : undefined,
    squares: hasDiagonal ? matrices() : undefined,
  }
}

/** into <- x y, element by element. */
function multiply(x: Tensor, y: Tensor, into: Tensor): void {
  updateAll(into.device, 'product', [{ gradient: x, m: y, direction: into, fromGradient: 1 }])
}

/** The factor of a side, where it is of that kind. */
function factorOf({ factors }: InverseFactors, where: Factor['where'], kind: Side['kind']): Tensor | undefined {
  return factors.find((factor) => factor.where === where && factor.side.kind === kind)?.factor.tensor
}

/** to <- Q_L from Q_R^T, or with Q^T in place of Q; `from` may be `to` where no side is dense. */
function applyHalf(all: InverseFactors, from: Tensor, to: Tensor, isTransposed: boolean): void {
  const left = factorOf(all, 'left', 'dense')
  const right = factorOf(all, 'right', 'dense')
  const isDense = left !== undefined || right !== undefined
  if (isDense) {
    const transposes = {
      transposeA: isTransposed && left !== undefined,
      transposeB: !isTransposed && right !== undefined,
    }
    kronApply(left ?? null, from, right ?? null, { ...transposes, out: to })
  }
  if (all.spread !== undefined) multiply(isDense ? to : from, all.spread.tensor, to)
}

function spread(all: InverseFactors): void {
  if (all.spread === undefined) return
  spreadDiagonals(all.stack, factorOf(all, 'left', 'diagonal'), factorOf(all, 'right', 'diagonal'), all.spread.tensor)
}

/** Above this |X|_F^2 the moments could leave the range of fp32: such a gradient does not enter. */
const OVERFLOWING = 1e36

/** Moves the factors of the members that have a gradient. */
export function updateInverse(all: InverseFactors, gradients: Gradients, settings: InverseSettings): void {
  const { stack, factors, input, whitened, squares } = all
  const { device } = input.tensor
  const present = stack.members.flatMap((parameter, member) => (gradients[parameter] ? [member] : []))
  if (present.length === 0) return
  gatherMembers(device, stack, gradients, input)
  spread(all)
  applyHalf(all, input.tensor, whitened.tensor, false)
  const sizes = reduce(
    device,
    'dot',
    whitened.parts.map((x) => ({ x })),
  )
  const active = present.filter((member) => sizes[member]! < OVERFLOWING)
  if (squares !== undefined) multiply(whitened.tensor, whitened.tensor, squares.tensor)
  // |Q|_F^2 / order of every factor, all before the first one moves.
  const traces = factors.map(({ factor, side }) =>
    reduce(
      device,
      'dot',
      factor.parts.map((x) => ({ x })),
    ).map((square) => square / side.size),
  )
  factors.forEach((factor, index) => {
    const other = traces.length === 1 ? undefined : traces[1 - index]!
    collectMomentum(all, factor, active, (member) => other?.[member] ?? 1, settings)
  })
  for (const factor of factors) move(factor, active, settings)
}

/** m <- alpha1 m + (X X^T / length + lambda c Q Q^T - I) / 2 */
function collectMomentum(
  { stack, whitened, squares }: InverseFactors,
  { side, where, factor, momentum, moment, own, unit }: Factor,
  active: readonly number[],
  otherTrace: (member: number) => number,
  { decay, damping }: InverseSettings,
): void {
  const { device } = unit
  if (side.kind === 'dense') {
    gram(whitened.tensor, { side: where, out: moment.tensor })
    gram(factor.tensor, { out: own.tensor })
  } else {
    sumSquares(stack, squares!.tensor, where, moment.tensor)
    multiply(factor.tensor, factor.tensor, own.tensor)
  }
  const length = where === 'left' ? stack.columns : stack.rows
  const added = active.map((member) => ({
    gradient: moment.parts[member]!,
    m: own.parts[member]!,
    fromGradient: 0.5 / length,
    fromM: 0.5 * damping * otherTrace(member),
    w: momentum.parts[member]!,
    lr: -1,
    shrinkage: 1 - decay,
  }))
  updateAll(device, 'combine', added)
  const taken = active.map((member) => ({ gradient: unit, fromGradient: 0.5, w: momentum.parts[member]!, lr: 1 }))
  updateAll(device, 'combine', taken)
}

/** Q <- Q - beta m Q, beta |m| <= maxChange */
function move(
  { side, factor, momentum, moment, unit }: Factor,
  active: readonly number[],
  settings: InverseSettings,
): void {
  const { device } = unit
  const norms = reduce(
    device,
    'dot',
    momentum.parts.map((x) => ({ x })),
  ).map(Math.sqrt)
  if (side.kind === 'dense') matmul(momentum.tensor, factor.tensor, { out: moment.tensor })
  else multiply(momentum.tensor, factor.tensor, moment.tensor)
  const entries = active.map((member) => {
    const lr = Math.min(settings.rate, settings.maxChange / norms[member]!)
    return { gradient: moment.parts[member]!, fromGradient: 1, w: factor.parts[member]!, lr }
  })
  updateAll(device, 'combine', entries)
}

/** Leaves C C^T G K K^T in `output`. */
export function precondition(all: InverseFactors, gradients: Gradients): void {
  const { stack, input, whitened, output } = all
  if (stack.members.every((parameter) => gradients[parameter] === null)) return
  gatherMembers(input.tensor.device, stack, gradients, input)
  spread(all)
  applyHalf(all, input.tensor, whitened.tensor, false)
  applyHalf(all, whitened.tensor, output.tensor, true)
}
