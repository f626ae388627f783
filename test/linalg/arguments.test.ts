// Every refusal names the op and the argument, happens before any work, and leaves the operands as they were.
import { afterAll, describe, expect, test } from 'vitest'
import {
  cholesky,
  type ErrorCode,
  eigh,
  gram,
  inverseRoot,
  kronApply,
  matmul,
  normEstimate,
  open,
  orthogonalize,
  qr,
  spdInverse,
  spdSolve,
  svd,
  triangularSolve,
} from '../../lib/index.js'
import { expectRefused, expectRejected } from '../refusal.js'

const device = open('cpu')
const other = open('cpu')
afterAll(() => {
  device.dispose()
  other.dispose()
})

const square = device.tensor([2, 1, 1, 2], [2, 2])
const wide = device.tensor([1, 2, 3, 4, 5, 6], [2, 3])
const double = device.tensor(Float64Array.of(2, 1, 1, 2), [2, 2])
const vector = device.tensor([1, 2], [2])
const elsewhere = other.tensor([2, 1, 1, 2], [2, 2])
const two = device.empty([2, 2, 2])
const three = device.empty([3, 2, 2])
const gone = device.empty([2, 2])
gone.dispose()
const goneVector = device.empty([2])
goneVector.dispose()
const as = <T>(value: unknown) => value as T

type Case = readonly [name: string, call: () => unknown, code: ErrorCode, message: string]

// `out` of the ops that have several outputs.
const several: readonly Case[] = [
  [
    'a tensor as out of eigh',
    () => eigh(square, { out: as(vector) }),
    'ERR_OPTION',
    "eigh: out: there is no option 'device'; there are values, vectors",
  ],
  ['null as out', () => qr(square, { out: as(null) }), 'ERR_OPTION', 'qr: out: options must be an object, got null'],
  [
    'out without one of the outputs',
    () => eigh(square, { out: { values: vector } }),
    'ERR_ARGUMENT',
    'eigh: out.vectors must be a Tensor, got undefined',
  ],
  [
    'out.values of another shape',
    () => eigh(square, { vectors: false, out: { values: device.empty([3]) } }),
    'ERR_SHAPE',
    'eigh: out.values has the shape [3], the result [2]',
  ],
  [
    'out.values as a matrix',
    () => eigh(square, { vectors: false, out: { values: device.empty([1, 2]) } }),
    'ERR_SHAPE',
    'eigh: out.values has the shape [1, 2], the result [2]',
  ],
  [
    'vectors that were not asked for',
    () => eigh(square, { vectors: false, out: { values: vector, vectors: double } }),
    'ERR_OPTION',
    'eigh: out.vectors is not an output of this call',
  ],
  [
    'vectors beside the basis of a refresh',
    () => {
      const [basis, vectors] = [device.empty([2, 2]), device.empty([2, 2])]
      eigh(square, { refresh: { otherwise: 'iterate', basis }, out: { values: vector, vectors } })
    },
    'ERR_OPTION',
    'eigh: out.vectors is not an output of this call',
  ],
  [
    'eigh over a',
    () => eigh(square, { out: { values: vector, vectors: square } }),
    'ERR_ALIAS',
    'eigh: out.vectors must not be a',
  ],
  [
    'one tensor as q and r',
    () => {
      const both = device.empty([2, 2])
      qr(square, { out: { q: both, r: both } })
    },
    'ERR_ALIAS',
    'qr: out.r must not be out.q',
  ],
  ['an r of f64', () => qr(square, { mode: 'r', out: { r: double } }), 'ERR_DTYPE', 'qr: out.r is f64, a is f32'],
  [
    'q with r alone',
    () => qr(square, { mode: 'r', out: { q: device.empty([2, 2]), r: device.empty([2, 2]) } }),
    'ERR_OPTION',
    'qr: out.q is not an output of this call',
  ],
  [
    'an s that was disposed',
    () => svd(square, { vectors: false, out: { s: goneVector } }),
    'ERR_DISPOSED',
    'svd: out.s was disposed',
  ],
  [
    'an s on another device',
    () => svd(square, { vectors: false, out: { s: other.empty([2]) } }),
    'ERR_ARGUMENT',
    'svd: out.s is on another device than a',
  ],
  [
    'a v of the transposed shape',
    () => svd(wide, { out: { s: vector, u: device.empty([2, 2]), v: device.empty([2, 3]) } }),
    'ERR_SHAPE',
    'svd: out.v has the shape [2, 3], the result [3, 2]',
  ],
  [
    'keep without out',
    () => qr(square, { onFailure: 'keep' }),
    'ERR_OPTION',
    "qr: onFailure 'keep' needs out, a fresh output has nothing to keep",
  ],
]

const cases: readonly Case[] = [
  ...several,
  [
    'a typed array for a tensor',
    () => matmul(as(new Float32Array(4)), square),
    'ERR_ARGUMENT',
    'matmul: a must be a Tensor, got a Float32Array',
  ],
  [
    'nothing for a tensor',
    () => matmul(square, as(undefined)),
    'ERR_ARGUMENT',
    'matmul: b must be a Tensor, got undefined',
  ],
  [
    'null where the identity is not meant',
    () => kronApply(null, as(null), null),
    'ERR_ARGUMENT',
    'kronApply: x must be a Tensor, got null',
  ],
  ['a look-alike', () => gram(as({ ...square })), 'ERR_ARGUMENT', 'gram: x must be a Tensor, got an object'],
  [
    'a tensor without its native half',
    () => gram(as(Object.create(Object.getPrototypeOf(square) as object))),
    'ERR_ARGUMENT',
    'gram: x',
  ],
  ['another device', () => matmul(square, elsewhere), 'ERR_ARGUMENT', 'matmul: b is on another device than a'],
  [
    'another device for out',
    () => gram(square, { out: elsewhere }),
    'ERR_ARGUMENT',
    'gram: out is on another device than x',
  ],
  ['a disposed input', () => eigh(gone), 'ERR_DISPOSED', 'eigh: a was disposed'],
  ['a disposed out', () => gram(square, { out: gone }), 'ERR_DISPOSED', 'gram: out was disposed'],
  ['mixed dtypes', () => spdSolve(square, double), 'ERR_DTYPE', 'spdSolve: b is f64, a is f32'],
  ['mixed dtypes of out', () => cholesky(square, { out: double }), 'ERR_DTYPE', 'cholesky: out is f64, a is f32'],
  [
    'a vector for a matrix',
    () => inverseRoot(vector),
    'ERR_SHAPE',
    'inverseRoot: a must have a shape [..., m, n], got [2]',
  ],
  ['eigh of a rectangle', () => eigh(wide), 'ERR_SHAPE', 'eigh: a must be square, got [2, 3]'],
  ['inverseRoot of a rectangle', () => inverseRoot(wide), 'ERR_SHAPE', 'inverseRoot: a must be square'],
  ['qr of a vector', () => qr(vector), 'ERR_SHAPE', 'qr: a must have a shape [..., m, n], got [2]'],
  [
    'a mode of qr',
    () => qr(wide, { mode: as('economic') }),
    'ERR_OPTION',
    "qr: mode must be one of 'reduced', 'complete', 'r'",
  ],
  ['vectors of svd', () => svd(wide, { vectors: as(1) }), 'ERR_OPTION', 'svd: vectors must be true or false, got 1'],
  ['an option svd does not have', () => svd(wide, as({ full: true })), 'ERR_OPTION', "svd: there is no option 'full'"],
  [
    'triangularSolve with a rectangle',
    () => triangularSolve(wide, square),
    'ERR_SHAPE',
    'triangularSolve: t must be square',
  ],
  [
    'triangularSolve from the right',
    () => triangularSolve(square, wide, { side: 'right' }),
    'ERR_SHAPE',
    'triangularSolve: b has 3 columns, 2 are needed',
  ],
  [
    'triangularSolve over t',
    () => triangularSolve(square, device.empty([2, 2]), { out: square }),
    'ERR_ALIAS',
    'triangularSolve: out must not be t',
  ],
  [
    'an alpha of 0',
    () => triangularSolve(square, square, { alpha: 0 }),
    'ERR_OPTION',
    'triangularSolve: alpha must be a finite number other than 0, got 0',
  ],
  [
    'a kind of norm',
    () => normEstimate(wide, { kind: as('nuclear') }),
    'ERR_OPTION',
    "normEstimate: kind must be one of 'spectral'",
  ],
  [
    'iterations of another norm',
    () => normEstimate(wide, { kind: 'one', iterations: 3 }),
    'ERR_OPTION',
    "normEstimate: iterations belong to kind 'spectral-lower'",
  ],
  ['cholesky of a rectangle', () => cholesky(wide), 'ERR_SHAPE', 'cholesky: a must be square'],
  ['spdInverse of a rectangle', () => spdInverse(wide), 'ERR_SHAPE', 'spdInverse: a must be square'],
  ['spdSolve with a rectangle', () => spdSolve(wide, square), 'ERR_SHAPE', 'spdSolve: a must be square'],
  [
    'inner dimensions',
    () => matmul(wide, square),
    'ERR_SHAPE',
    'matmul: b has 2 rows, 3 are needed (its shape is [2, 2])',
  ],
  [
    'inner dimensions transposed',
    () => matmul(square, wide, { transposeB: true }),
    'ERR_SHAPE',
    'matmul: b has 3 columns, 2 are needed',
  ],
  [
    'right-hand sides',
    () => spdSolve(square, device.empty([3, 1])),
    'ERR_SHAPE',
    'spdSolve: b has 3 rows, 2 are needed',
  ],
  [
    'left factor',
    () => kronApply(device.empty([3, 3]), wide, null),
    'ERR_SHAPE',
    'kronApply: a has 3 columns, 2 are needed',
  ],
  ['right factor', () => kronApply(null, wide, square), 'ERR_SHAPE', 'kronApply: b has 2 rows, 3 are needed'],
  ['unequal batches', () => matmul(two, three), 'ERR_SHAPE', 'matmul: the batch of b is [3], that of a is [2]'],
  [
    'equal batch counts of other shape',
    () => matmul(device.empty([6, 2, 2]), device.empty([2, 3, 2, 2])),
    'ERR_SHAPE',
    'batches must be equal',
  ],
  [
    'shape of out',
    () => matmul(square, wide, { out: square }),
    'ERR_SHAPE',
    'matmul: out has the shape [2, 2], the result [2, 3]',
  ],
  [
    'batch of out',
    () => gram(two, { out: three }),
    'ERR_SHAPE',
    'gram: out has the shape [3, 2, 2], the result [2, 2, 2]',
  ],
  ['out is a', () => matmul(square, two, { out: two }), 'ERR_ALIAS', 'matmul: out must not be b'],
  ['gram in place', () => gram(square, { out: square }), 'ERR_ALIAS', 'gram: out must not be x'],
  [
    'orthogonalize in place',
    () => orthogonalize(square, { out: square }),
    'ERR_ALIAS',
    'orthogonalize: out must not be a',
  ],
  [
    'kronApply in place',
    () => kronApply(square, square, null, { out: square }),
    'ERR_ALIAS',
    'kronApply: out must not be x',
  ],
  [
    'spdSolve over a',
    () => spdSolve(square, device.empty([2, 2]), { out: square }),
    'ERR_ALIAS',
    'spdSolve: out must not be a',
  ],
  [
    'an unknown option',
    () => gram(square, as({ scale: 2 })),
    'ERR_OPTION',
    "gram: there is no option 'scale'; there are side, alpha, beta, out",
  ],
  ['options of another class', () => gram(square, as(2)), 'ERR_OPTION', 'gram: options must be an object, got 2'],
  [
    'a signal without async',
    () => gram(square, as({ signal: new AbortController().signal })),
    'ERR_OPTION',
    'gram: signal is an option of gram.async',
  ],
  [
    'a flag',
    () => matmul(square, square, { transposeA: as(1) }),
    'ERR_OPTION',
    'matmul: transposeA must be true or false, got 1',
  ],
  [
    'alpha 0',
    () => matmul(square, square, { alpha: 0 }),
    'ERR_OPTION',
    'matmul: alpha must be a finite number other than 0, got 0',
  ],
  ['beta NaN', () => gram(square, { beta: Number.NaN, out: two }), 'ERR_SHAPE', 'gram: out has the shape'],
  ['beta without out', () => gram(square, { beta: 0.5 }), 'ERR_OPTION', 'gram: beta other than 0 needs out'],
  [
    'beta infinite',
    () => gram(square, { beta: Infinity }),
    'ERR_OPTION',
    'gram: beta must be a finite number, got Infinity',
  ],
  [
    'side',
    () => gram(square, { side: as('top') }),
    'ERR_OPTION',
    "gram: side must be one of 'left', 'right', got 'top'",
  ],
  ['a side of the prototype', () => gram(square, { side: as('toString') }), 'ERR_OPTION', "got 'toString'"],
  [
    'a negative ridge',
    () => inverseRoot(square, { ridge: { relative: -1 } }),
    'ERR_OPTION',
    'inverseRoot: ridge.relative must be a finite number >= 0, got -1',
  ],
  [
    'an unknown ridge',
    () => inverseRoot(square, { ridge: as({ tikhonov: 1 }) }),
    'ERR_OPTION',
    "inverseRoot: ridge must be one of { absolute: number }, { relative: number }, { trace: number }, { pseudoInverse: number }, 'none', got { tikhonov }",
  ],
  [
    'two ridges',
    () => inverseRoot(square, { ridge: as({ relative: 1, absolute: 1 }) }),
    'ERR_OPTION',
    'got { relative, absolute }',
  ],
  ['a ridge that is no object', () => spdInverse(square, { ridge: as(1e-6) }), 'ERR_OPTION', 'got 0.000001'],
  [
    'a pseudo-inverse by Cholesky',
    () => cholesky(square, { ridge: as({ pseudoInverse: 0 }) }),
    'ERR_OPTION',
    'got { pseudoInverse }',
  ],
  [
    'p 0',
    () => inverseRoot(square, { p: 0 }),
    'ERR_OPTION',
    'inverseRoot: p must be an integer or [numerator, denominator] such as [4, 3]',
  ],
  ['p fractional', () => inverseRoot(square, { p: 4 / 3 }), 'ERR_OPTION', 'got 1.3333333333333333'],
  ['p too large', () => inverseRoot(square, { p: 65 }), 'ERR_OPTION', 'got 65'],
  ['p of three', () => inverseRoot(square, { p: as([1, 2, 3]) }), 'ERR_OPTION', 'got [1, 2, 3]'],
  ['p with denominator 0', () => inverseRoot(square, { p: [1, 0] }), 'ERR_OPTION', 'got [1, 0]'],
  [
    'method',
    () => inverseRoot(square, { method: as('newton') }),
    'ERR_OPTION',
    "inverseRoot: method must be one of 'auto', 'eigh', 'minimax', 'coupled-newton', 'higher-order', 'newton-db', 'cans', 'chebyshev', 'rational', 'partial-fractions', got 'newton'",
  ],
  ['p of square roots', () => inverseRoot(square, { p: 6, method: 'cans' }), 'ERR_OPTION', 'in lowest terms, got 6'],
  [
    'p = 4/4 of square roots',
    () => inverseRoot(square, { p: [4, 4], method: 'newton-db' }),
    'ERR_OPTION',
    "inverseRoot: method 'newton-db' takes square roots",
  ],
  [
    'residualBound',
    () => inverseRoot(square, { residualBound: 0 }),
    'ERR_OPTION',
    'inverseRoot: residualBound must be a finite number > 0, got 0',
  ],
  [
    'maxIterations',
    () => inverseRoot(square, { maxIterations: 0 }),
    'ERR_OPTION',
    'inverseRoot: maxIterations must be an integer from 1 to 1000000, got 0',
  ],
  [
    'onFailure',
    () => inverseRoot(square, { onFailure: as('ignore') }),
    'ERR_OPTION',
    "inverseRoot: onFailure must be one of 'nan', 'keep', 'throw', got 'ignore'",
  ],
  [
    'keep without out',
    () => inverseRoot(square, { onFailure: 'keep' }),
    'ERR_OPTION',
    "inverseRoot: onFailure 'keep' needs out",
  ],
  [
    'table',
    () => orthogonalize(square, { table: as('muon') }),
    'ERR_OPTION',
    "orthogonalize: table must be one of 'quintic'",
  ],
  [
    'a pair in a table',
    () => orthogonalize(square, { table: as([[1, 2]]) }),
    'ERR_OPTION',
    'orthogonalize: table[0] must be [a, b, c], got [1, 2]',
  ],
  [
    'NaN in a table',
    () => orthogonalize(square, { table: [[1, 2, Number.NaN]] }),
    'ERR_OPTION',
    'orthogonalize: table[0][2] must be a finite number, got NaN',
  ],
  [
    'an empty table',
    () => orthogonalize(square, { table: [] }),
    'ERR_OPTION',
    'orthogonalize: table must have from 1 to 1000 triples, got 0',
  ],
  [
    'steps',
    () => orthogonalize(square, { steps: 0 }),
    'ERR_OPTION',
    'orthogonalize: steps must be an integer from 1 to 1000, got 0',
  ],
  [
    'lower with another table',
    () => orthogonalize(square, { lower: 0.1 }),
    'ERR_OPTION',
    "orthogonalize: lower does not apply to tables other than 'polar-express'",
  ],
  [
    'lower',
    () => orthogonalize(square, { table: 'polar-express', lower: 1 }),
    'ERR_OPTION',
    'orthogonalize: lower must be a finite number > 0 and < 1, got 1',
  ],
  [
    'safety',
    () => orthogonalize(square, { safety: -1 }),
    'ERR_OPTION',
    'orthogonalize: safety must be a finite number > 0, got -1',
  ],
  [
    'steps of the exact polar factor',
    () => orthogonalize(square, { method: 'polar', steps: 5 }),
    'ERR_OPTION',
    "orthogonalize: steps does not apply to method 'polar'",
  ],
  [
    'a refresh that says nothing of what else to do',
    () => eigh(square, { refresh: as({ basis: square }) }),
    'ERR_OPTION',
    "eigh: refresh.otherwise must be one of 'decompose', 'iterate', got undefined",
  ],
  [
    'a basis that is the matrix',
    () => eigh(square, { refresh: { otherwise: 'iterate', basis: square } }),
    'ERR_ALIAS',
    'eigh: refresh.basis must not be a',
  ],
  [
    'a basis of another shape',
    () => eigh(square, { refresh: { otherwise: 'iterate', basis: wide } }),
    'ERR_SHAPE',
    'eigh: refresh.basis has the shape [2, 3], the result [2, 2]',
  ],
  [
    'a refresh without vectors',
    () => eigh(square, { vectors: false, refresh: { otherwise: 'iterate', basis: square } }),
    'ERR_OPTION',
    'eigh: refresh needs vectors',
  ],
  [
    'a tolerance of 1',
    () => eigh(square, { refresh: { otherwise: 'iterate', basis: device.empty([2, 2]), tolerance: 1 } }),
    'ERR_OPTION',
    'eigh: refresh.tolerance must be a finite number >= 0 and < 1, got 1',
  ],
  [
    'vectors',
    () => eigh(square, { vectors: as('yes') }),
    'ERR_OPTION',
    "eigh: vectors must be true or false, got 'yes'",
  ],
]

describe('refused', () => {
  test.each(cases)('%s', (_name, call, code, message) => {
    const before = device.memory()
    const operands = [square, wide, two, three].map((tensor) => tensor.data())
    expectRefused(call, code, message)
    // device.empty(...) of a case itself may be collected at any time: only less memory is possible, or its own.
    expect(device.memory().tensors - before.tensors).toBeLessThanOrEqual(4)
    expect([square, wide, two, three].map((tensor) => tensor.data())).toEqual(operands)
  })
})

describe('a refused asynchronous call rejects, and never throws', () => {
  test('for each reason', async () => {
    await expectRejected(matmul.async(square, as(null)), 'ERR_ARGUMENT', 'matmul: b must be a Tensor, got null')
    await expectRejected(eigh.async(wide), 'ERR_SHAPE', 'eigh: a must be square')
    await expectRejected(gram.async(square, as({ scale: 1 })), 'ERR_OPTION', "no option 'scale'")
    await expectRejected(
      gram.async(square, { signal: as('stop') }),
      'ERR_OPTION',
      "signal must be an AbortSignal, got 'stop'",
    )
    await expectRejected(gram.async(gone), 'ERR_DISPOSED')
  })
})

test('memory for the result that is not there leaves nothing behind', () => {
  const own = open('cpu')
  const column = own.empty([2 ** 20, 0])
  const row = own.empty([0, 2 ** 29])
  expectRefused(() => matmul(column, row), 'ERR_OUT_OF_MEMORY')
  expect(own.memory()).toEqual({ bytes: 0, tensors: 2 })
  own.dispose()
})
