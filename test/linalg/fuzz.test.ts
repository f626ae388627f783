// Thousands of calls with random arguments, mostly wrong: each either answers or throws a KronrootError of a documented
// code, leaves its inputs bit for bit as they were, and leaks nothing. The seed is fixed; KRONROOT_FUZZ_SEED sets another.
import { expect, test } from 'vitest'
import {
  cholesky,
  type Device,
  eigh,
  gram,
  inverseRoot,
  KronrootError,
  kronApply,
  matmul,
  normEstimate,
  open,
  orthogonalize,
  qr,
  spdInverse,
  spdSolve,
  svd,
  Tensor,
  triangularSolve,
} from '../../lib/index.js'

const codes = new Set([
  'ERR_ARGUMENT',
  'ERR_SHAPE',
  'ERR_DTYPE',
  'ERR_OPTION',
  'ERR_ALIAS',
  'ERR_DISPOSED',
  'ERR_NOT_CONVERGED',
])

/** xorshift32 */
function generator(seed: number): <T>(choices: readonly T[]) => T {
  let state = seed | 1
  return (choices) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return choices[(state >>> 0) % choices.length]!
  }
}

const strange: readonly unknown[] = [
  undefined,
  null,
  0,
  -1,
  1.5,
  Number.NaN,
  Infinity,
  2 ** 53,
  10n,
  'x',
  '',
  true,
  [],
  [1, 2, 3],
  {},
  { relative: 1 },
  () => 1,
  Symbol('s'),
  new Date(0),
  new Float32Array(4),
  Object.create(null),
  new Proxy({}, {}),
]

function operandsOf(device: Device, other: Device): Tensor[] {
  const values = (n: number) => Array.from({ length: n }, (_, i) => Math.sin(i + 1) + 1)
  const tensors = [
    [2, 2],
    [2, 3],
    [3, 2],
    [3, 3],
    [4, 3, 3],
    [2, 3, 3],
    [1, 3, 3],
    [0, 3, 3],
    [0, 0],
    [2, 0],
    [1, 1],
    [3],
    [2, 2, 3, 3],
  ].flatMap((shape) => {
    const data = values(shape.reduce((product, extent) => product * extent, 1))
    return [device.tensor(data, shape), device.tensor(data, shape, { dtype: 'f64' })]
  })
  const spd = device.tensor([4, 1, 0, 1, 4, 1, 0, 1, 4], [3, 3])
  const poisoned = device.tensor([Number.NaN, 1, Infinity, 1, 4, 1, 0, 1, 4], [3, 3])
  const gone = device.empty([3, 3])
  gone.dispose()
  return [...tensors, spd, spd, spd, poisoned, gone, other.tensor(values(9), [3, 3])]
}

const options: Readonly<Record<string, readonly unknown[]>> = {
  transposeA: [true, false],
  transposeB: [true, false],
  alpha: [1, -2],
  beta: [0, 0.5],
  side: ['left', 'right'],
  vectors: [true, false],
  mode: ['reduced', 'complete', 'r'],
  upper: [true, false],
  transpose: [true, false],
  unitDiagonal: [true, false],
  kind: ['spectral', 'spectral-lower', 'frobenius', 'one', 'infinity', 'max'],
  iterations: [1, 9],
  p: [1, 2, 4, [4, 3], -2],
  method: ['auto', 'eigh', 'minimax', 'coupled-newton', 'chebyshev', 'newton-schulz', 'gram-newton-schulz', 'polar'],
  ridge: [{ relative: 1e-3 }, { absolute: 0.1 }, { trace: 0.1 }, { pseudoInverse: 0 }, 'none'],
  residualBound: [0.1],
  fullResidual: [true],
  maxIterations: [3],
  table: ['quintic', 'polar-express', 'cubic', [[1.5, -0.5, 0]]],
  steps: [1, 5],
  lower: [0.01],
  cushion: [0.1],
  safety: [1.05],
  onFailure: ['nan', 'keep', 'throw'],
  signal: [undefined],
  unknown: [1],
}

const fields: Readonly<Record<string, readonly string[]>> = {
  matmul: ['transposeA', 'transposeB', 'alpha', 'beta'],
  gram: ['side', 'alpha', 'beta'],
  eigh: ['vectors', 'onFailure'],
  inverseRoot: ['p', 'method', 'ridge', 'residualBound', 'fullResidual', 'maxIterations', 'onFailure'],
  orthogonalize: ['method', 'table', 'steps', 'lower', 'cushion', 'safety', 'onFailure'],
  cholesky: ['ridge', 'onFailure'],
  spdInverse: ['ridge', 'onFailure'],
  spdSolve: ['ridge', 'onFailure'],
  kronApply: ['transposeA', 'transposeB'],
  qr: ['mode', 'onFailure'],
  svd: ['vectors', 'onFailure'],
  triangularSolve: ['side', 'upper', 'transpose', 'unitDiagonal', 'alpha', 'onFailure'],
  normEstimate: ['kind', 'iterations', 'onFailure'],
}

type AnyOp = (...args: unknown[]) => unknown
const ops = {
  matmul,
  gram,
  eigh,
  inverseRoot,
  orthogonalize,
  cholesky,
  spdInverse,
  spdSolve,
  kronApply,
  qr,
  svd,
  triangularSolve,
  normEstimate,
} as unknown as Record<string, AnyOp & { async: (...args: unknown[]) => Promise<unknown> }>
const operandCount: Record<string, number> = { matmul: 2, spdSolve: 2, kronApply: 3, triangularSolve: 2 }

/** Fields of `out` of the ops that have several outputs. */
const outputs: Readonly<Record<string, readonly string[]>> = {
  eigh: ['values', 'vectors'],
  qr: ['q', 'r'],
  svd: ['s', 'u', 'v'],
}

function randomArguments(pick: ReturnType<typeof generator>, op: string, tensors: readonly Tensor[]) {
  const args: unknown[] = []
  for (let i = 0; i < (operandCount[op] ?? 1); i++)
    args.push(pick([0, 1, 2, 3, 4, 5, 6, 7, 8]) ? pick(tensors) : pick(strange))
  const given: Record<string, unknown> = {}
  for (let i = pick([0, 0, 1, 2, 3]); i > 0; i--) {
    const field = pick([0, 1, 2, 3, 4, 5]) ? pick(fields[op]!) : pick(Object.keys(options))
    given[field] = pick([0, 1, 2, 3]) ? pick(options[field]!) : pick(strange)
  }
  const outs: unknown[] = []
  if (pick([0, 1, 2]) === 0) {
    // Often an operand itself, so that aliasing, refused and allowed, is reached.
    const any = () => pick([() => pick(tensors), () => pick(tensors), () => pick(args), () => pick(strange)])()
    const names = outputs[op]
    if (names === undefined) {
      given.out = any()
      outs.push(given.out)
    } else {
      // Now and then one is missing. The outputs of 3 x 3 matrices often fit.
      const [first] = args
      const three = tensors.filter(({ shape, dtype }) => {
        return shape.length < 3 && shape.every((n) => n === 3) && Tensor.isTensor(first) && dtype === first.dtype
      })
      const fitting = () => (three.length > 0 ? pick(three) : any())
      const several = names
        .filter(() => pick([0, 1, 2, 3, 4, 5, 6, 7]))
        .map((name) => [name, pick([any, fitting, fitting, fitting])()] as const)
      given.out = pick([0, 1, 2, 3, 4, 5]) ? Object.fromEntries(several) : any()
      outs.push(...several.map(([, out]) => out))
    }
  }
  args.push(pick([0, 1, 2, 3, 4, 5, 6, 7]) ? given : pick(strange))
  return { args, outs: outs.filter(Tensor.isTensor) }
}

function disposeResult(result: unknown, outs: readonly Tensor[]): void {
  const parts = Tensor.isTensor(result) ? [result] : Object.values(result as object)
  for (const part of parts) if (Tensor.isTensor(part) && !outs.includes(part)) part.dispose()
}

const same = (one: ArrayLike<number>, other: ArrayLike<number>) =>
  Array.from(one).every((value, i) => Object.is(value, other[i]))

test('8000 random calls', async () => {
  const pick = generator(Number(process.env.KRONROOT_FUZZ_SEED ?? 2026))
  const [device, other] = [open('cpu'), open('reference')]
  const tensors = operandsOf(device, other)
  const live = tensors.filter((tensor) => !tensor.disposed)
  const before = device.memory()
  const seen = new Map<string, number>()
  const filled = new Map<string, number>() // answers in outputs that were given
  for (let call = 0; call < 8000; call++) {
    const op = pick(Object.keys(ops))
    const { args, outs } = randomArguments(pick, op, tensors)
    const watched = live.filter((tensor) => !outs.includes(tensor))
    const contents = watched.map((tensor) => tensor.data())
    const written = live.filter((tensor) => outs.includes(tensor))
    const kept = written.map((tensor) => tensor.data())
    let outcome = 'answered'
    try {
      disposeResult(call % 4 === 0 ? await ops[op]!.async(...args) : ops[op]!(...args), outs)
      if (outs.length > 1) filled.set(op, (filled.get(op) ?? 0) + 1)
    } catch (error) {
      if (!(error instanceof KronrootError)) throw new Error(`${op} ${call}: ${error}`, { cause: error })
      outcome = error.code
      expect(codes, `${op} ${call}: ${error}`).toContain(outcome)
      expect(error.message.startsWith(`${op}: `), `${op} ${call}: ${error}`).toBe(true)
      // A refusal touches nothing; 'throw' answers first.
      if (outcome !== 'ERR_NOT_CONVERGED') {
        written.forEach((tensor, i) => {
          expect(same(tensor.data(), kept[i]!), `${op} ${call}: an output was touched`).toBe(true)
        })
      }
    }
    seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
    watched.forEach((tensor, i) => {
      if (!same(tensor.data(), contents[i]!)) throw new Error(`${op} ${call}: an input was modified`)
    })
    written.forEach((tensor, i) => {
      tensor.write(kept[i]!)
    })
  }
  expect(device.memory()).toEqual(before)
  // The generator reaches answers and every kind of refusal.
  for (const outcome of ['answered', ...codes]) expect(seen.get(outcome) ?? 0, outcome).toBeGreaterThan(10)
  expect(seen.get('answered')).toBeGreaterThan(800)
  for (const op of Object.keys(outputs)) expect(filled.get(op) ?? 0, op).toBeGreaterThan(2)
  device.dispose()
  other.dispose()
})
