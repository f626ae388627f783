import { beforeAll, describe, expect, test } from 'vitest'
import { type Autoencoder, autoencoder } from '../../lib/train/autoencoder.js'
import type { Parameter } from '../../lib/train/parameter.js'
import { Random } from '../../lib/train/random.js'
import { expectDifferences } from './differences.js'

/** The loss once more, in plain fp64 loops: tanh layers, linear code layer (the narrowest), cross-entropy. */
function plainLoss(
  parameters: readonly { value: ArrayLike<number> }[],
  widths: readonly number[],
  images: Float32Array,
) {
  const code = widths.indexOf(Math.min(...widths)) - 1
  const batch = images.length / widths[0]!
  let total = 0
  for (let image = 0; image < batch; image++) {
    const pixels = Array.from(images.subarray(image * widths[0]!, (image + 1) * widths[0]!))
    let units = pixels
    for (let layer = 0; layer + 1 < widths.length; layer++) {
      const weight = parameters[2 * layer]!.value
      const bias = parameters[2 * layer + 1]!.value
      const outputs = widths[layer + 1]!
      const sums = Array.from({ length: outputs }, (_, j) =>
        units.reduce((sum, unit, i) => sum + unit * weight[i * outputs + j]!, bias[j]!),
      )
      units = layer === code || layer === widths.length - 2 ? sums : sums.map(Math.tanh)
    }
    units.forEach((z, i) => {
      total += Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) - pixels[i]! * z
    })
  }
  return total / batch
}

describe('the autoencoder on jax-js', () => {
  const widths = [7, 6, 3, 5, 7]
  const batch = 9
  const random = new Random(11)
  const images = Float32Array.from({ length: batch * 7 }, () => random.uniform())
  let model: Autoencoder
  let parameters: Parameter[]

  beforeAll(async () => {
    model = await autoencoder(widths)
    parameters = model.initial(4)
    for (const { value, shape } of parameters) {
      if (shape.length === 1) value.set(value.map(() => random.uniform() - 0.5))
    }
  })

  test('the loss is that of the plain fp64 loops', () => {
    const expected = plainLoss(parameters, widths, images)
    // jax-js approximates exp and log by polynomials of single precision, good to some 1e-5.
    expect(Math.abs(model.loss(parameters, images) - expected) / expected).toBeLessThan(2e-5)
    expect(model.gradient(parameters, images).loss).toBeCloseTo(model.loss(parameters, images), 5)
  })

  test('every entry of the gradient is the central difference of the fp64 loss', () => {
    const { gradients } = model.gradient(parameters, images)
    expectDifferences(parameters, gradients, (exact) => plainLoss(exact, widths, images))
  })

  test('logits of +-1000 give a finite loss and gradient', () => {
    const extreme = model.initial(4)
    const last = extreme.at(-1)!
    last.value.set(last.value.map((_, i) => (i % 2 === 0 ? 1000 : -1000)))
    const { loss, gradients } = model.gradient(extreme, images)
    expect(Math.abs(loss - plainLoss(extreme, widths, images)) / loss).toBeLessThan(1e-6)
    for (const gradient of gradients) expect(gradient.every(Number.isFinite)).toBe(true)
  })

  test('initial weights depend on the seed alone, fill the Glorot interval, and biases are zero', () => {
    expect(model.initial(1)).toEqual(model.initial(1))
    expect(model.initial(1)).not.toEqual(model.initial(2))
    for (const { shape, value } of model.initial(1)) {
      if (shape.length === 1) expect(value.every((bias) => bias === 0)).toBe(true)
      else {
        const bound = Math.sqrt(6 / (shape[0]! + shape[1]!))
        const largest = Math.max(...value.map(Math.abs))
        expect(largest).toBeLessThanOrEqual(bound)
        expect(largest).toBeGreaterThan(0.7 * bound)
      }
    }
  })

  test('repeated gradients free what they allocate', () => {
    const before = process.memoryUsage().rss
    for (let i = 0; i < 300; i++) model.gradient(parameters, images)
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20)
  })
})
