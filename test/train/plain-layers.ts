// Layers of a network once more, in plain fp64 loops.

/** inputs W + b for W of `[inputs, outputs]`. */
export function affine(inputs: ArrayLike<number>, weight: ArrayLike<number>, bias: ArrayLike<number>): Float64Array {
  const outputs = bias.length
  const sums = Float64Array.from(bias)
  for (let i = 0; i < inputs.length; i++) {
    for (let j = 0; j < outputs; j++) sums[j]! += inputs[i]! * weight[i * outputs + j]!
  }
  return sums
}

/**
 * Convolution without padding of a square image `[side, side, channels]` with a kernel `[size, size, channels, outputs]`;
 * output `[places, places, outputs]`.
 */
export function convolution(
  image: ArrayLike<number>,
  side: number,
  kernel: ArrayLike<number>,
  size: number,
  bias: ArrayLike<number>,
  stride: number,
): Float64Array {
  const channels = image.length / side ** 2
  const outputs = bias.length
  const places = Math.floor((side - size) / stride) + 1
  const maps = new Float64Array(places * places * outputs)
  for (let y = 0; y < places; y++)
    for (let x = 0; x < places; x++)
      for (let output = 0; output < outputs; output++) {
        let sum = bias[output]!
        for (let row = 0; row < size; row++)
          for (let column = 0; column < size; column++)
            for (let channel = 0; channel < channels; channel++) {
              const pixel = image[((stride * y + row) * side + stride * x + column) * channels + channel]!
              sum += pixel * kernel[((row * size + column) * channels + channel) * outputs + output]!
            }
        maps[(y * places + x) * outputs + output] = sum
      }
  return maps
}

/** -log softmax(logits)[label]. */
export function crossEntropy(logits: Float64Array, label: number): number {
  const largest = Math.max(...logits)
  return largest + Math.log(logits.reduce((sum, z) => sum + Math.exp(z - largest), 0)) - logits[label]!
}
