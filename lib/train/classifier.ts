import type { Array as JaxArray } from '@jax-js/jax'
import { type Jax, loadJax } from './jax.js'
import type { LossAndGradients, Parameter } from './parameter.js'

/** Rows of a batch, ready for the network: inputs with their shape, and one class a row. */
export interface LabelledRows {
  readonly inputs: Float32Array
  readonly shape: readonly number[]
  readonly classes: Uint8Array
}

/** A network with softmax outputs whose loss and gradient jax-js computes. */
export interface Classifier {
  /** Mean cross-entropy in nats over the rows, and its gradient in the order of the parameters. */
  gradient(parameters: readonly Parameter[], rows: LabelledRows): LossAndGradients
  /** Mean cross-entropy, without a gradient. */
  loss(parameters: readonly Parameter[], rows: LabelledRows): number
}

/** Logits `[rows, classes]` of the inputs. As everywhere in jax-js, both arguments are consumed. */
export type Logits = (jax: Jax, parameters: JaxArray[], inputs: JaxArray) => JaxArray

/**
 * A softmax classifier with the cross-entropy of its logits z,
 *
 *     loss = 1/rows sum_rows log(sum_k exp(z_k - max z)) - (z_class - max z),    d loss / d z = (softmax(z) - onehot) / rows
 *
 * The derivative goes into the pullback in closed form; one loss a row leaves jax-js, and they are added in double precision.
 *
 * @param classes number of classes, at most 256.
 * @throws UsageError where `@jax-js/jax` is not installed.
 */
export async function classifier(classes: number, logits: Logits): Promise<Classifier> {
  const jax = await loadJax()
  const { jit, numpy: np, vjp } = jax

  const shifted = (z: JaxArray) => np.subtract(z.ref, np.max(z, 1, { keepdims: true }))
  const losses = (z: JaxArray, onehot: JaxArray) =>
    np.subtract(np.log(np.sum(np.exp(z.ref), 1)), np.sum(np.multiply(z, onehot), 1))

  const lossOf = jit((parameters: JaxArray[], inputs: JaxArray, onehot: JaxArray): JaxArray => {
    return losses(shifted(logits(jax, parameters, inputs)), onehot)
  })

  const gradientOf = jit((parameters: JaxArray[], inputs: JaxArray, onehot: JaxArray): [JaxArray, JaxArray[]] => {
    const rows = onehot.shape[0]!
    const [z, pullback] = vjp((variables: JaxArray[]) => logits(jax, variables, inputs), [parameters])
    const centred = shifted(z)
    const exponentials = np.exp(centred.ref)
    const probabilities = np.divide(exponentials.ref, np.sum(exponentials, 1, { keepdims: true }))
    const cotangent = np.multiply(np.subtract(probabilities, onehot.ref), 1 / rows)
    const [gradients] = pullback(cotangent) as [JaxArray[]]
    return [losses(centred, onehot), gradients]
  })

  const upload = (values: Float32Array, shape: readonly number[]) => np.array(values, { shape: [...shape] })
  const uploadAll = (parameters: readonly Parameter[], rows: LabelledRows) => {
    const weights = parameters.map(({ value, shape }) => upload(value, shape))
    const onehot = upload(oneHot(rows.classes, classes), [rows.classes.length, classes])
    return [weights, upload(rows.inputs, rows.shape), onehot] as const
  }
  const mean = (perRow: JaxArray) => {
    const values = perRow.dataSync() as Float32Array
    return values.reduce((sum, loss) => sum + loss, 0) / values.length
  }

  return {
    gradient(parameters, rows) {
      const [perRow, gradients] = gradientOf(...uploadAll(parameters, rows))
      return { loss: mean(perRow), gradients: gradients.map((gradient) => gradient.dataSync() as Float32Array) }
    },
    loss: (parameters, rows) => mean(lossOf(...uploadAll(parameters, rows))),
  }
}

/** Rows of zeros with a one in the column that each index names. */
export function oneHot(indices: ArrayLike<number>, columns: number): Float32Array {
  const rows = new Float32Array(indices.length * columns)
  for (let row = 0; row < indices.length; row++) rows[row * columns + indices[row]!] = 1
  return rows
}
