import type { Array as JaxArray } from '@jax-js/jax'
import { type Classifier, classifier, type LabelledRows, oneHot } from './classifier.js'
import type { CodedText } from './moby-dick.js'
import { glorot, type Parameter, zeroBias } from './parameter.js'
import { evenlySpread, type Problem } from './problem.js'
import { Random } from './random.js'

/** Sizes of the network. */
export interface CharacterSizes {
  /** Number of different characters. */
  readonly alphabet: number
  /** Characters that the next one is predicted from. */
  readonly window: number
  /** Numbers that stand for a character. */
  readonly embedding: number
  /** Units of both hidden layers. */
  readonly hidden: number
}

/** For an alphabet of this size. */
export function characterSizes(alphabet: number): CharacterSizes {
  return { alphabet, window: 16, embedding: 16, hidden: 128 }
}

/**
 * A character-level language model: the embeddings of the last characters side by side, two hidden layers of tanh units, and
 * a softmax over the next character. Weights are `[inputs, outputs]`, the embedding is `[alphabet, embedding]`.
 *
 * Source: Bengio et al., A neural probabilistic language model, JMLR 2003, with characters for words.
 *
 * @throws UsageError where `@jax-js/jax` is not installed.
 */
export function characterModel({ alphabet, window, embedding }: CharacterSizes): Promise<Classifier> {
  return classifier(alphabet, ({ numpy: np }, parameters, characters) => {
    const [table, ...layers] = parameters as [JaxArray, ...JaxArray[]]
    const rows = characters.shape[0]! / window
    let units = np.matmul(characters, table).reshape([rows, window * embedding])
    for (let layer = 0; layer < layers.length; layer += 2) {
      units = np.add(np.matmul(units, layers[layer]!), layers[layer + 1]!)
      if (layer + 2 < layers.length) units = np.tanh(units)
    }
    return units
  })
}

/**
 * Embeddings uniform in +-sqrt(3), of variance 1; Glorot-uniform
 * weights and zero biases. The seed alone decides them.
 */
export function initialCharacterParameters(
  seed: number,
  { alphabet, window, embedding, hidden }: CharacterSizes,
): Parameter[] {
  const random = new Random(seed)
  const inputs = window * embedding
  return [
    // inputs + outputs = 2 makes the Glorot interval +-sqrt(3).
    glorot(random, 'embedding', [alphabet, embedding], 1, 1),
    glorot(random, 'hidden1.weight', [inputs, hidden], inputs, hidden),
    zeroBias('hidden1.bias', hidden),
    glorot(random, 'hidden2.weight', [hidden, hidden], hidden, hidden),
    zeroBias('hidden2.bias', hidden),
    glorot(random, 'head.weight', [hidden, alphabet], hidden, alphabet),
    zeroBias('head.bias', alphabet),
  ]
}

/** The windows that begin at `starts`, a one-hot row a character, and the character after each. */
export function windowRows(text: CodedText, starts: Uint32Array, { alphabet, window }: CharacterSizes): LabelledRows {
  const characters = new Uint8Array(starts.length * window)
  starts.forEach((start, row) => {
    characters.set(text.codes.subarray(start, start + window), row * window)
  })
  return {
    inputs: oneHot(characters, alphabet),
    shape: [starts.length * window, alphabet],
    classes: Uint8Array.from(starts, (start) => text.codes[start + window]!),
  }
}

/** To predict the next character of the text, anywhere in it; `evaluationWindows` windows measure the loss. */
export function characterPrediction(
  model: Classifier,
  text: CodedText,
  sizes: CharacterSizes,
  evaluationWindows: number,
): Problem {
  const examples = text.codes.length - sizes.window
  const evaluation = windowRows(text, evenlySpread(examples, evaluationWindows), sizes)
  return {
    examples,
    initial: (seed) => initialCharacterParameters(seed, sizes),
    batch(indices) {
      const rows = windowRows(text, indices, sizes)
      return (parameters) => model.gradient(parameters, rows)
    },
    evaluate: (parameters) => model.loss(parameters, evaluation),
  }
}
