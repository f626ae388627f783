import type { Array as JaxArray } from '@jax-js/jax'
import { loadJax } from './jax.js'
import { glorot, type LossAndGradients, type Parameter, zeroBias } from './parameter.js'
import { Random } from './random.js'

/** A network whose loss and gradient jax-js computes; values cross the boundary as Float32Array. */
export interface Autoencoder {
  readonly widths: readonly number[]
  /** Glorot-uniform weights `[inputs, outputs]` and zero biases; the seed alone decides them. */
  initial(seed: number): Parameter[]
  /** Mean loss over `images` (rows of `widths[0]` pixels) and its gradient, in the order of the parameters. */
  gradient(parameters: readonly Parameter[], images: Float32Array): LossAndGradients
  /** Mean loss over `images`, without a gradient. */
  loss(parameters: readonly Parameter[], images: Float32Array): number
}

/** Hinton and Salakhutdinov (Science, 2006), in the depth that the issue of this job fixes. */
export const classicWidths: readonly number[] = [784, 256, 128, 32, 128, 256, 784]

/**
 * The deep autoencoder that Hinton and Salakhutdinov (2006) posed, and on which Martens and Grosse (2015, section 13)
 * measured KFAC: tanh units, a linear code layer in the middle, sigmoid outputs, and the cross-entropy
 *
 *     loss = 1/batch sum_images sum_pixels softplus(z) - x z,      softplus(z) = max(z, 0) + log(1 + exp(-|z|)),
 *
 * with z the logits and x the pixels in [0, 1]. It is computed from logits, so that it neither overflows nor takes the
 * logarithm of zero; d loss / d z = (sigmoid(z) - x) / batch is passed to the pullback in closed form, because the
 * derivative of max and |z| by the chain rule is both slower and wrong at z = 0.
 *
 * @throws UsageError where `@jax-js/jax` is not installed.
 */
export async function autoencoder(widths: readonly number[] = classicWidths): Promise<Autoencoder> {
  const { jit, nn, numpy: np, vjp } = await loadJax()

  const layers = widths.length - 1
  const code = widths.indexOf(Math.min(...widths)) - 1

  function logits(parameters: JaxArray[], images: JaxArray): JaxArray {
    let units = images
    for (let layer = 0; layer < layers; layer++) {
      units = np.add(np.matmul(units, parameters[2 * layer]!), parameters[2 * layer + 1]!)
      const linear = layer === code || layer === layers - 1
      if (!linear) units = np.tanh(units)
    }
    return units
  }

  // The sum over images only: 784 partial sums leave jax-js and are added in double precision. One float32 accumulator
  // over a whole batch (400,000 terms) loses four digits, and is slower besides.
  function lossPerPixel(z: JaxArray, images: JaxArray): JaxArray {
    const softplus = np.add(np.maximum(z.ref, 0), np.log(np.add(1, np.exp(np.negative(np.absolute(z.ref))))))
    return np.sum(np.subtract(softplus, np.multiply(images, z)), 0)
  }

  const lossOf = jit((parameters: JaxArray[], images: JaxArray): JaxArray => {
    return lossPerPixel(logits(parameters, images.ref), images)
  })

  const gradientOf = jit((parameters: JaxArray[], images: JaxArray): [JaxArray, JaxArray[]] => {
    const batch = images.shape[0]!
    const [z, pullback] = vjp((variables: JaxArray[]) => logits(variables, images.ref), [parameters])
    const cotangent = np.multiply(np.subtract(nn.sigmoid(z.ref), images.ref), 1 / batch)
    const [gradients] = pullback(cotangent) as [JaxArray[]]
    return [lossPerPixel(z, images), gradients]
  })

  const pixels = widths[0]!
  const upload = (values: Float32Array, shape: readonly number[]) => np.array(values, { shape: [...shape] })
  const uploadAll = (parameters: readonly Parameter[]) => parameters.map(({ value, shape }) => upload(value, shape))
  const mean = (partialSums: JaxArray, batch: number) => {
    return (partialSums.dataSync() as Float32Array).reduce((sum, part) => sum + part, 0) / batch
  }

  return {
    widths,
    initial: (seed) => initialParameters(widths, seed),
    gradient(parameters, images) {
      const batch = images.length / pixels
      const [partialSums, gradients] = gradientOf(uploadAll(parameters), upload(images, [batch, pixels]))
      return {
        loss: mean(partialSums, batch),
        gradients: gradients.map((gradient) => gradient.dataSync() as Float32Array),
      }
    },
    loss(parameters, images) {
      const batch = images.length / pixels
      return mean(lossOf(uploadAll(parameters), upload(images, [batch, pixels])), batch)
    },
  }
}

function initialParameters(widths: readonly number[], seed: number): Parameter[] {
  const random = new Random(seed)
  const parameters: Parameter[] = []
  for (let layer = 0; layer + 1 < widths.length; layer++) {
    const inputs = widths[layer]!
    const outputs = widths[layer + 1]!
    parameters.push(glorot(random, `layer${layer + 1}.weight`, [inputs, outputs], inputs, outputs))
    parameters.push(zeroBias(`layer${layer + 1}.bias`, outputs))
  }
  return parameters
}
