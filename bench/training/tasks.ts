// What is trained, at which batch sizes, for how long.
import { autoencoder } from '../../lib/train/autoencoder.js'
import { characterModel, characterPrediction, characterSizes } from '../../lib/train/characters.js'
import { digitClassifier, digitRecognition } from '../../lib/train/digits.js'
import { trainingImages, trainingLabels } from '../../lib/train/mnist.js'
import { mobyDick } from '../../lib/train/moby-dick.js'
import type { Problem } from '../../lib/train/problem.js'
import { reconstruction } from '../../lib/train/reconstruction.js'
import type { RuleName } from './rules.js'

/** One point of the batch-size sweep. */
export interface Setting {
  readonly batch: number
  readonly steps: number
}

export interface Task {
  readonly name: string
  readonly description: string
  /** The sweep. */
  readonly settings: readonly Setting[]
  /** The only setting of a quick run. */
  readonly quick: Setting
  /**
   * Middle of the grids of learning rates, and of those rules that need another. Placed by trial runs with the seed of the tuning, so
   * that the best rates lie inside; where one does not, the table marks it.
   */
  readonly middleRate: number
  readonly middleRates: Partial<Record<RuleName, number>>
  /** Throws UsageError where data or a package is missing. */
  problem(): Promise<Problem>
}

export const tasks: readonly Task[] = [
  {
    name: 'autoencoder',
    description: 'MNIST autoencoder 784-256-128-32-128-256-784, cross-entropy per image, on 500 images',
    settings: [
      { batch: 64, steps: 150 },
      { batch: 256, steps: 120 },
    ],
    quick: { batch: 64, steps: 20 },
    middleRate: 0.008,
    middleRates: { muon: 0.032, soap: 0.032, splus: 4 },
    problem: async () => reconstruction(await autoencoder(), trainingImages(), 500),
  },
  {
    name: 'convolutional',
    description: 'MNIST digits, two convolutions (8 and 16 channels), 64 hidden units, cross-entropy on 1000 images',
    settings: [
      { batch: 32, steps: 300 },
      { batch: 64, steps: 250 },
      { batch: 128, steps: 200 },
    ],
    quick: { batch: 32, steps: 30 },
    middleRate: 0.016,
    middleRates: { splus: 0.5 },
    problem: async () => digitRecognition(await digitClassifier(), trainingImages(), trainingLabels(), 1000),
  },
  {
    name: 'characters',
    description:
      'next character of Moby Dick from the 16 before it, 2 x 128 hidden units, cross-entropy on 1000 windows',
    settings: [
      { batch: 32, steps: 400 },
      { batch: 64, steps: 350 },
      { batch: 128, steps: 300 },
    ],
    quick: { batch: 64, steps: 30 },
    middleRate: 0.016,
    middleRates: { splus: 0.5 },
    problem: async () => {
      const text = mobyDick()
      const sizes = characterSizes(text.alphabet.length)
      return characterPrediction(await characterModel(sizes), text, sizes, 1000)
    },
  },
]
