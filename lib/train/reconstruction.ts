import type { Autoencoder } from './autoencoder.js'
import { gather, type Images } from './mnist.js'
import { evenlySpread, type Problem } from './problem.js'

/** To reconstruct the images by the autoencoder; `evaluationImages` of them measure the loss. */
export function reconstruction(model: Autoencoder, images: Images, evaluationImages: number): Problem {
  const evaluation = gather(images, evenlySpread(images.count, evaluationImages))
  return {
    examples: images.count,
    initial: model.initial,
    batch(indices) {
      const rows = gather(images, indices)
      return (parameters) => model.gradient(parameters, rows)
    },
    evaluate: (parameters) => model.loss(parameters, evaluation),
  }
}
