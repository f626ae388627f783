// eigh of single matrices of orders where backends change their method: one and a half, two and four times 64, and on a
// GPU what lies beyond the shared memory of a block.
import { describe, expect, it } from 'vitest'
import { eigh, open } from '../../lib/index.js'
import { type DType, eighRatios, lapackType, precision, Random } from '../matrices/zoo.js'
import { devices } from './devices.js'
import { item, multiplyOn, stacked } from './oracle.js'

describe.each(devices())('eigh of large matrices on $label', (testDevice) => {
  it.each(['f32', 'f64'] as const)('%s: both ratios below 10', (dtype: DType) => {
    const device = testDevice.open()
    const product = open('cpu')
    for (const n of [97, 140, 257]) {
      const matrix = lapackType(13, n, { dtype, random: new Random(n) })
      const a = stacked(device, [matrix], dtype)
      const { values, vectors, report } = eigh(a)
      expect(report.status).toEqual(['ok'])
      const found = eighRatios(
        matrix.data,
        item(values.data(), 0, n),
        item(vectors!.data(), 0, n * n),
        n,
        precision[dtype].ulp,
        multiplyOn(product),
      )
      expect(found.residual).toBeLessThan(10)
      expect(found.orthogonality).toBeLessThan(10)
    }
    product.dispose()
    device.dispose()
  })
})
