// Lanczos, spectral density and suggested rates on operators whose spectrum is known.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Device, open } from '../../lib/device.js'
import { hessianSpectrum, type Spectrum, suggestRates } from '../../lib/optim/index.js'
import { GroupSpace, hostParts } from '../../lib/optim/second-order/group-space.js'
import { krylovSpace, lanczos } from '../../lib/optim/second-order/lanczos.js'
import { normal, normalArray } from './random.js'

let device: Device
beforeAll(() => {
  device = open('cpu')
})
afterAll(() => {
  expect(device.memory()).toEqual({ bytes: 0, tensors: 0 })
  device.dispose()
})

type Arrays = readonly Float32Array[]

/** Eigenvalues spread over parameters of the given lengths, in a basis turned by a Householder reflection. */
function operator(eigenvalues: readonly number[], lengths: readonly number[]) {
  const next = normal(4)
  const direction = eigenvalues.map(() => next())
  const length = Math.hypot(...direction)
  const unit = direction.map((value) => value / length)
  const reflect = (x: readonly number[]) => {
    const along = 2 * x.reduce((sum, value, i) => sum + value * unit[i]!, 0)
    return x.map((value, i) => value - along * unit[i]!)
  }
  const split = (x: readonly number[]): Float32Array[] => {
    let start = 0
    return lengths.map((size) => {
      start += size
      return Float32Array.from(x.slice(start - size, start))
    })
  }
  const apply = (vectors: Arrays) => {
    const x = reflect(vectors.flatMap((vector) => [...vector]))
    return split(reflect(x.map((value, i) => eigenvalues[i]! * value)))
  }
  return { apply, values: split(eigenvalues.map(() => 0)) }
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
const moment = ({ nodes, weights }: Spectrum, power: number) =>
  nodes.reduce((sum, node, i) => sum + weights[i]! * node ** power, 0)

describe('lanczos', () => {
  test('few distinct eigenvalues: the space is invariant, and all of them are found', () => {
    const eigenvalues = Array.from({ length: 60 }, (_, i) => [-2, 1, 5][i % 3]!)
    const { apply, values } = operator(eigenvalues, [25, 35])
    const spectrum = hessianSpectrum(device, { hessianVector: apply, values, steps: 20 })
    expect(spectrum.nodes.length).toBe(3)
    for (const [i, node] of spectrum.nodes.entries()) expect(node).toBeCloseTo([-2, 1, 5][i]!, 4)
    expect(spectrum.largestError).toBe(0)
    expect(spectrum.weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 10)
  })

  test('T has the moments of the start vector, up to degree 2 k - 1', () => {
    const eigenvalues = Array.from({ length: 40 }, (_, i) => -1 + (2 * i) / 39)
    const { apply } = operator(eigenvalues, [40])
    const start = [normalArray(40, normal(8))]
    const steps = 4
    const norm = Math.hypot(...start[0]!)
    let power: Arrays = [start[0]!.map((value) => value / norm)]
    const space = new GroupSpace([{ name: 'w', shape: [40] }], device)
    const krylov = krylovSpace(space, steps)
    space.gather(power, krylov.basis.vectors[0]!)
    const { diagonal, offDiagonal, remainder } = lanczos(
      krylov,
      (x, into) => space.gather(apply(hostParts(x)), into),
      1e-6,
    )
    space.dispose()
    expect(diagonal.length).toBe(steps)
    expect(remainder).toBeGreaterThan(0.1)
    // v . H^j v from products in fp32, and e_1 . T^j e_1.
    const first = power[0]!
    let column = diagonal.map((_, i): number => (i === 0 ? 1 : 0))
    for (let j = 1; j <= 2 * steps - 1; j++) {
      power = apply(power)
      column = diagonal.map(
        (alpha, i) =>
          alpha * column[i]! +
          (offDiagonal[i - 1] ?? 0) * (column[i - 1] ?? 0) +
          (offDiagonal[i] ?? 0) * (column[i + 1] ?? 0),
      )
      const expected = power[0]!.reduce((sum, value, i) => sum + value * first[i]!, 0)
      expect(column[0]!, `moment ${j}`).toBeCloseTo(expected, 4)
    }
  })

  test('vectors stay orthogonal where plain Lanczos would lose them', () => {
    // A far outlier converges at once; without reorthogonalization its copies come back.
    const eigenvalues = [1000, ...Array.from({ length: 99 }, (_, i) => i / 99)]
    const { apply, values } = operator(eigenvalues, [100])
    const { nodes } = hessianSpectrum(device, { hessianVector: apply, values, steps: 50 })
    expect(nodes.filter((node) => node > 10).length).toBe(1)
  })

  test('a zero operator and one number', () => {
    const zero = (vectors: Arrays) => vectors.map((vector) => new Float32Array(vector.length))
    const spectrum = hessianSpectrum(device, { hessianVector: zero, values: [new Float32Array(9)] })
    expect(spectrum).toEqual({ largest: 0, smallest: 0, largestError: 0, nodes: [0], weights: [expect.closeTo(1, 12)] })
    const one = hessianSpectrum(device, {
      hessianVector: ([x]) => [x!.map((value) => 3 * value)],
      values: [new Float32Array(1)],
    })
    expect(one.largest).toBeCloseTo(3, 6)
  })
})

describe('hessianSpectrum', () => {
  const eigenvalues = Array.from({ length: 400 }, (_, i) => (i < 3 ? [20, 12, 9][i]! : -0.5 + (2 * (i - 3)) / 396))
  const { apply, values } = operator(eigenvalues, [100, 50, 250])

  test('extreme eigenvalues, with an error bound that holds', () => {
    const spectrum = hessianSpectrum(device, { hessianVector: apply, values, steps: 12 })
    expect(Math.abs(spectrum.largest - 20)).toBeLessThan(1e-3)
    expect(Math.abs(spectrum.largest - 20)).toBeLessThan(spectrum.largestError + 1e-4)
    const rough = hessianSpectrum(device, { hessianVector: apply, values, steps: 3 })
    expect(20 - rough.largest).toBeGreaterThan(1e-3)
    const distance = Math.min(...eigenvalues.map((value) => Math.abs(value - rough.largest)))
    expect(distance).toBeLessThan(rough.largestError)
    expect(hessianSpectrum(device, { hessianVector: apply, values, steps: 40 }).smallest).toBeCloseTo(-0.5, 1)
  })

  test('the density has the moments of the spectrum', () => {
    const spectrum = hessianSpectrum(device, { hessianVector: apply, values, steps: 10, probes: 40, seed: 3 })
    expect(moment(spectrum, 0)).toBeCloseTo(1, 10)
    // Standard error of a probe: sqrt(2 tr(A^2)) / n, of 40 probes.
    for (const power of [1, 2]) {
      const exact = eigenvalues.map((value) => value ** power)
      const error = Math.sqrt(2 * exact.reduce((sum, value) => sum + value ** 2, 0)) / 400 / Math.sqrt(40)
      expect(Math.abs(moment(spectrum, power) - mean(exact))).toBeLessThan(4 * error)
    }
  })

  test('seeds repeat', () => {
    const at = (seed: number) => hessianSpectrum(device, { hessianVector: apply, values, steps: 5, seed })
    expect(at(1)).toEqual(at(1))
    expect(at(1)).not.toEqual(at(2))
  })

  test('refuses', () => {
    const options = { hessianVector: apply, values }
    expect(() => hessianSpectrum(device, { ...options, steps: 0 })).toThrow('hessianSpectrum: steps must be an integer')
    expect(() => hessianSpectrum(device, { ...options, values: [] })).toThrow('at least one number')
    expect(() => hessianSpectrum(device, { ...options, hessianVector: () => [] })).toThrow(
      'hessianSpectrum: hessianVector must return 3 Float32Arrays, got 0',
    )
  })
})

describe('suggestRates', () => {
  const spectrum: Spectrum = {
    largest: 16,
    smallest: 1,
    largestError: 0,
    nodes: [1, 2, 16],
    weights: [0.5, 0.45, 0.05],
  }

  test("Polyak's optimum of a quadratic from 1 to 16", () => {
    const { largestLr, lr, heavyBall, damping } = suggestRates(spectrum)
    expect([largestLr, lr]).toEqual([1 / 8, 2 / 17])
    expect(heavyBall.lr).toBeCloseTo(0.16, 12)
    expect(heavyBall.momentum).toBeCloseTo(0.36, 12)
    expect(damping).toBe(2)
  })

  test('gradient descent at the suggested rates goes down as it should', () => {
    const curvature = [1, 2, 16]
    const { lr, heavyBall } = suggestRates(spectrum)
    const descend = (rate: number, momentum: number) => {
      const w = [1, 1, 1]
      const v = [0, 0, 0]
      for (let step = 0; step < 40; step++) {
        for (const i of [0, 1, 2]) {
          v[i] = momentum * v[i]! - rate * curvature[i]! * w[i]!
          w[i]! += v[i]!
        }
      }
      return Math.hypot(...w)
    }
    expect(descend(lr, 0)).toBeLessThan(2 * (15 / 17) ** 40)
    expect(descend(heavyBall.lr, heavyBall.momentum)).toBeLessThan(100 * 0.6 ** 40)
    expect(descend(1.01 * (2 / 16), 0)).toBeGreaterThan(1)
  })

  test('negative curvature is damped, conditions are capped, errors are on the safe side', () => {
    const hard: Spectrum = { ...spectrum, smallest: -3, largestError: 4 }
    const { largestLr, lr, heavyBall, damping } = suggestRates(hard, { condition: 25 })
    expect(largestLr).toBe(0.1)
    expect(lr).toBeCloseTo(2 / 20.8, 12)
    expect(heavyBall.momentum).toBeCloseTo((4 / 6) ** 2, 12)
    expect(damping).toBe(3)
    expect(suggestRates(spectrum, { bulk: 0.99 }).damping).toBe(16)
  })

  test('batches: lr grows by kappa or its root, damping by lr / kappa', () => {
    const batch = { from: 64, to: 256 }
    const plain = suggestRates(spectrum)
    const linear = suggestRates(spectrum, { batch })
    expect([linear.lr / plain.lr, linear.damping / plain.damping]).toEqual([4, 1])
    const root = suggestRates(spectrum, { batch, scaling: 'square-root' })
    expect([root.lr / plain.lr, root.damping / plain.damping]).toEqual([2, 0.5])
  })

  test('refuses a spectrum without positive curvature', () => {
    expect(() => suggestRates({ ...spectrum, largest: -1 })).toThrow('suggestRates: the largest eigenvalue must be > 0')
    expect(() => suggestRates(spectrum, { condition: 1 })).toThrow('condition must be a finite number > 1')
  })
})
