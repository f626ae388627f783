import type { Array as JaxArray } from '@jax-js/jax'
import { type Classifier, classifier, type LabelledRows } from './classifier.js'
import type { Jax } from './jax.js'
import { gather, type Images } from './mnist.js'
import { glorot, type Parameter, zeroBias } from './parameter.js'
import { evenlySpread, type Problem } from './problem.js'
import { Random } from './random.js'

/** Sizes of the network: channels of the two convolutions, units of the hidden layer. */
export interface DigitSizes {
  readonly first: number
  readonly second: number
  readonly hidden: number
}

export const digitSizes: DigitSizes = { first: 8, second: 16, hidden: 64 }

/** Side of the images, of the first convolution's output, and of the second's. */
const side = { image: 28, first: 12, second: 5 } as const
const kernel = { first: 5, second: 4 } as const
const stride = 2
const digitClasses = 10

/**
 * A small convolutional network for the digits of MNIST: two convolutions of stride 2 without padding (5 x 5, then 4 x 4), a
 * hidden layer, tanh units, ten softmax outputs. Kernels are `[height, width, in, out]`, the layout of jax and TensorFlow.
 *
 * Both convolutions are products of matrices: on two cores the convolution of jax-js on wasm takes 20 times as long.
 * The first multiplies patches that are cut out of the images beforehand. The second, whose kernel is two strides wide, works
 * on 2 x 2 cells of its input made into channels: a kernel of 2 x 2 cells with stride 1, four shifted slices side by side.
 *
 * @throws UsageError where `@jax-js/jax` is not installed.
 */
export function digitClassifier(sizes: DigitSizes = digitSizes): Promise<Classifier> {
  return classifier(digitClasses, (jax, parameters, patches) => logits(jax, sizes, parameters, patches))
}

function logits(
  { numpy: np }: Jax,
  { first, second }: DigitSizes,
  parameters: JaxArray[],
  patches: JaxArray,
): JaxArray {
  const [kernel1, bias1, kernel2, bias2, hidden, hiddenBias, head, headBias] = parameters as [
    JaxArray,
    JaxArray,
    JaxArray,
    JaxArray,
    JaxArray,
    JaxArray,
    JaxArray,
    JaxArray,
  ]
  const images = patches.shape[0]! / side.first ** 2
  const cells = side.first / stride

  const flat1 = kernel1.reshape([kernel.first ** 2, first])
  const maps1 = np.tanh(np.add(np.matmul(patches, flat1), bias1))
  const blocks = maps1
    .reshape([images, cells, stride, cells, stride, first])
    .transpose([0, 1, 3, 2, 4, 5])
    .reshape([images, cells, cells, stride ** 2 * first])
  const shifts = [0, 1].flatMap((down) =>
    [0, 1].map((right) => blocks.ref.slice([], [down, down + side.second], [right, right + side.second], [])),
  )
  blocks.dispose()
  const patches2 = np.concatenate(shifts, 3).reshape([images * side.second ** 2, kernel.second ** 2 * first])

  // Rows of the kernel in the order of the columns of the patches: cell, then place in the cell.
  const flat2 = kernel2
    .reshape([2, stride, 2, stride, first, second])
    .transpose([0, 2, 1, 3, 4, 5])
    .reshape([kernel.second ** 2 * first, second])
  const maps2 = np.tanh(np.add(np.matmul(patches2, flat2), bias2)).reshape([images, side.second ** 2 * second])
  const units = np.tanh(np.add(np.matmul(maps2, hidden), hiddenBias))
  return np.add(np.matmul(units, head), headBias)
}

/** Glorot-uniform kernels and weights, zero biases; the seed alone decides them. */
export function initialDigitParameters(seed: number, { first, second, hidden }: DigitSizes = digitSizes): Parameter[] {
  const random = new Random(seed)
  const [area1, area2] = [kernel.first ** 2, kernel.second ** 2]
  const features = side.second ** 2 * second
  return [
    glorot(random, 'conv1.kernel', [kernel.first, kernel.first, 1, first], area1, area1 * first),
    zeroBias('conv1.bias', first),
    glorot(random, 'conv2.kernel', [kernel.second, kernel.second, first, second], area2 * first, area2 * second),
    zeroBias('conv2.bias', second),
    glorot(random, 'hidden.weight', [features, hidden], features, hidden),
    zeroBias('hidden.bias', hidden),
    glorot(random, 'head.weight', [hidden, digitClasses], hidden, digitClasses),
    zeroBias('head.bias', digitClasses),
  ]
}

/** The patches of the first convolution: a row of 25 pixels for each of the 144 places of every image. */
export function digitRows(images: Float32Array, labels: Uint8Array): LabelledRows {
  const places = side.first ** 2
  const area = kernel.first ** 2
  const patches = new Float32Array(labels.length * places * area)
  let filled = 0
  for (let image = 0; image < labels.length; image++) {
    for (let place = 0; place < places; place++) {
      const top = stride * Math.floor(place / side.first)
      const left = stride * (place % side.first)
      for (let row = 0; row < kernel.first; row++) {
        const start = (image * side.image + top + row) * side.image + left
        for (let column = 0; column < kernel.first; column++) patches[filled++] = images[start + column]!
      }
    }
  }
  return { inputs: patches, shape: [labels.length * places, area], classes: labels }
}

/** To tell the digits of the images; `evaluationImages` of them measure the loss. */
export function digitRecognition(
  model: Classifier,
  images: Images,
  labels: Uint8Array,
  evaluationImages: number,
): Problem {
  const rowsOf = (indices: Uint32Array) =>
    digitRows(
      gather(images, indices),
      Uint8Array.from(indices, (index) => labels[index]!),
    )
  const evaluation = rowsOf(evenlySpread(images.count, evaluationImages))
  return {
    examples: images.count,
    initial: (seed) => initialDigitParameters(seed),
    batch(indices) {
      const rows = rowsOf(indices)
      return (parameters) => model.gradient(parameters, rows)
    },
    evaluate: (parameters) => model.loss(parameters, evaluation),
  }
}
