// Shapes of the parameters of three networks, as PyTorch stores them: [outputs, inputs, ...].
import type { ParameterSpec } from '../lib/optim/index.js'

export interface LayerSuite {
  readonly name: string
  /** Matrices and filters, which second-order rules precondition. */
  readonly hidden: readonly ParameterSpec[]
  /** Biases, norms, embeddings, heads. */
  readonly others: readonly ParameterSpec[]
}

const spec = (name: string, ...shape: number[]): ParameterSpec => ({ name, shape })

/** The deep MNIST autoencoder of `npm start`. */
function autoencoder(): LayerSuite {
  const widths = [784, 256, 128, 32, 128, 256, 784]
  const layers = widths.slice(1).map((outputs, i) => [outputs, widths[i]!] as const)
  return {
    name: 'autoencoder',
    hidden: layers.map(([outputs, inputs], i) => spec(`layer${i}.weight`, outputs, inputs)),
    others: layers.map(([outputs], i) => spec(`layer${i}.bias`, outputs)),
  }
}

/** He et al., arXiv 1512.03385, table 1, 18 layers. Filters of 512 x 512 x 3 x 3 merge to 512 x 4608. */
function resnet18(): LayerSuite {
  const hidden = [spec('stem', 64, 3, 7, 7)]
  const others = [spec('stem.scale', 64), spec('stem.shift', 64)]
  let inputs = 64
  for (const [stage, width] of [64, 128, 256, 512].entries()) {
    for (const block of [0, 1]) {
      const name = `stage${stage}.block${block}`
      hidden.push(spec(`${name}.first`, width, inputs, 3, 3), spec(`${name}.second`, width, width, 3, 3))
      if (inputs !== width) hidden.push(spec(`${name}.shortcut`, width, inputs, 1, 1))
      for (const norm of ['first', 'second', ...(inputs === width ? [] : ['shortcut'])]) {
        others.push(spec(`${name}.${norm}.scale`, width), spec(`${name}.${norm}.shift`, width))
      }
      inputs = width
    }
  }
  others.push(spec('head.weight', 1000, 512), spec('head.bias', 1000))
  return { name: 'resnet18', hidden, others }
}

/** GPT-2 with 124 million parameters: 12 layers of width 768, 50257 tokens, 1024 positions. */
function gpt2(layers = 12): LayerSuite {
  const d = 768
  const hidden: ParameterSpec[] = []
  const others = [spec('tokens', 50257, d), spec('positions', 1024, d), spec('norm.scale', d), spec('norm.shift', d)]
  for (let layer = 0; layer < layers; layer++) {
    for (const [name, outputs, inputs] of [
      ['attention.qkv', 3 * d, d],
      ['attention.out', d, d],
      ['mlp.in', 4 * d, d],
      ['mlp.out', d, 4 * d],
    ] as const) {
      hidden.push(spec(`layer${layer}.${name}.weight`, outputs, inputs))
      others.push(spec(`layer${layer}.${name}.bias`, outputs))
    }
    for (const norm of ['norm1', 'norm2']) {
      others.push(spec(`layer${layer}.${norm}.scale`, d), spec(`layer${layer}.${norm}.shift`, d))
    }
  }
  return { name: `gpt2${layers === 12 ? '' : ` (${layers} of 12 layers)`}`, hidden, others }
}

export const suites = { autoencoder, resnet18, gpt2 }
