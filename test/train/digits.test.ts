import { beforeAll, describe, expect, test } from 'vitest'
import type { Classifier, LabelledRows } from '../../lib/train/classifier.js'
import {
  digitClassifier,
  digitRecognition,
  digitRows,
  digitSizes,
  initialDigitParameters,
} from '../../lib/train/digits.js'
import { trainingImages, trainingLabels } from '../../lib/train/mnist.js'
import type { Parameter } from '../../lib/train/parameter.js'
import { Random } from '../../lib/train/random.js'
import { expectDifferences } from './differences.js'
import { affine, convolution, crossEntropy } from './plain-layers.js'

const pixels = 28 ** 2

function plainLoss(
  parameters: readonly { value: ArrayLike<number> }[],
  images: Float32Array,
  labels: Uint8Array,
): number {
  const [kernel1, bias1, kernel2, bias2, hidden, hiddenBias, head, headBias] = parameters.map(({ value }) => value)
  let total = 0
  labels.forEach((label, image) => {
    const picture = images.subarray(image * pixels, (image + 1) * pixels)
    const maps1 = convolution(picture, 28, kernel1!, 5, bias1!, 2).map(Math.tanh)
    const maps2 = convolution(maps1, 12, kernel2!, 4, bias2!, 2).map(Math.tanh)
    const units = affine(maps2, hidden!, hiddenBias!).map(Math.tanh)
    total += crossEntropy(affine(units, head!, headBias!), label)
  })
  return total / labels.length
}

describe('the network for digits', () => {
  const sizes = { first: 2, second: 3, hidden: 4 }
  const random = new Random(5)
  const images = Float32Array.from({ length: 3 * pixels }, () => random.uniform())
  const labels = Uint8Array.of(7, 0, 3)
  let model: Classifier
  let parameters: Parameter[]
  let rows: LabelledRows

  beforeAll(async () => {
    model = await digitClassifier(sizes)
    parameters = initialDigitParameters(4, sizes)
    for (const { value, shape } of parameters) {
      if (shape.length === 1) value.set(value.map(() => random.uniform() - 0.5))
    }
    rows = digitRows(images, labels)
  })

  test('the loss is that of convolutions in plain fp64 loops', () => {
    const expected = plainLoss(parameters, images, labels)
    expect(Math.abs(model.loss(parameters, rows) - expected) / expected).toBeLessThan(2e-5)
    expect(model.gradient(parameters, rows).loss).toBeCloseTo(model.loss(parameters, rows), 5)
  })

  test('every entry of the gradient is the central difference of the fp64 loss', () => {
    const { gradients } = model.gradient(parameters, rows)
    expectDifferences(parameters, gradients, (exact) => plainLoss(exact, images, labels))
  })

  test('logits of +-1000 give a finite loss and gradient', () => {
    const extreme = parameters.map((parameter) => ({ ...parameter, value: parameter.value.slice() }))
    extreme.at(-1)!.value.set(Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? 1000 : -1000)))
    const { loss, gradients } = model.gradient(extreme, rows)
    expect(Math.abs(loss - plainLoss(extreme, images, labels)) / loss).toBeLessThan(1e-5)
    for (const gradient of gradients) expect(gradient.every(Number.isFinite)).toBe(true)
  })

  test('untrained on MNIST, the loss is near log 10; shapes are those of the layers', async () => {
    const problem = digitRecognition(await digitClassifier(), trainingImages(), trainingLabels(), 100)
    const start = problem.initial(1)
    expect(start.map(({ shape }) => shape.join('x'))).toEqual('5x5x1x8 8 4x4x8x16 16 400x64 64 64x10 10'.split(' '))
    expect(start).toEqual(initialDigitParameters(1, digitSizes))
    expect(Math.abs(problem.evaluate(start) - Math.log(10))).toBeLessThan(0.5)
    const { loss, gradients } = problem.batch(Uint32Array.of(0, 59_999))(start)
    expect(loss).toBeGreaterThan(0)
    expect(gradients.map(({ length }) => length)).toEqual(start.map(({ value }) => value.length))
  })
})
