// (G G^T)^{-1/4} G (G^T G)^{-1/4} = U V^T, the polar factor of G = U S V^T: Shampoo without accumulation is steepest
// descent under the spectral norm (Bernstein and Newhouse, arXiv 2409.20325, section 2). Three paths must agree.
import { describe, expect, it } from 'vitest'
import { gram, inverseRoot, kronApply, orthogonalize, type Tensor } from '../../lib/index.js'
import { type DType, fromSingularValues, precision, Random, relativeError, typed } from '../matrices/zoo.js'
import { devicesByRank } from './devices.js'

const { main, others } = devicesByRank()

/** Quintic with p(1) = 1, p'(1) = p''(1) = 0; 16 steps take singular values from 1e-3 to 1 within rounding. */
const convergent = [[15 / 8, -10 / 8, 3 / 8]] as const
const steps = 16

function rootPath(g: Tensor): Float32Array | Float64Array {
  const [m, n] = g.shape.slice(-2) as [number, number]
  // The Gram matrix of the long side is singular: its root is a pseudo-inverse.
  const ridge = (own: number, other: number) => (own > other ? ({ pseudoInverse: 0 } as const) : 'none')
  const left = inverseRoot(gram(g, { side: 'left' }), { p: 4, ridge: ridge(m, n) })
  const right = inverseRoot(gram(g, { side: 'right' }), { p: 4, ridge: ridge(n, m) })
  expect(left.report.ok && right.report.ok).toBe(true)
  return kronApply(left.value, g, right.value).data()
}

describe.each([main, ...others])('polar identity on $label', (testDevice) => {
  it.each([
    ['f64', 32, 32, 10],
    ['f64', 100, 100, 30],
    ['f64', 40, 24, 10],
    ['f64', 24, 40, 10],
    ['f32', 32, 32, 2],
    ['f32', 24, 40, 2],
  ] as readonly [DType, number, number, number][])(
    '%s, %i x %i, sigma_max / sigma_min = %i',
    (dtype, m, n, condition) => {
      const device = testDevice.open()
      const { ulp } = precision[dtype]
      const rank = Math.min(m, n)
      const singular = Float64Array.from({ length: rank }, (_, i) => condition ** (-i / (rank - 1)))
      const { data, polar } = fromSingularValues(m, n, singular, new Random(m + n))
      const g = device.tensor(typed(dtype, data), [m, n])

      const exact = orthogonalize(g, { method: 'polar' }).value.data()
      const polarBound = 100 * ulp * condition * Math.sqrt(n)
      expect(relativeError(exact, polar)).toBeLessThanOrEqual(polarBound)

      const iterated = orthogonalize(g, { method: 'newton-schulz', table: convergent, steps }).value.data()
      const iteratedBound = 50 * ulp * steps * Math.sqrt(rank)
      expect(relativeError(iterated, exact)).toBeLessThanOrEqual(iteratedBound + polarBound)

      // Each root errs by at most 100 n ulp condition^2 relative to its norm (the Gram squares the condition), and
      // |G (G^T G)^{-1/4}|_2 |(G G^T)^{-1/4}|_2 <= condition^{1/2}.
      const rootBound = 2 * 100 * Math.max(m, n) * ulp * condition ** 2.5
      expect(relativeError(rootPath(g), exact)).toBeLessThanOrEqual(rootBound + polarBound)
      device.dispose()
    },
  )
})
