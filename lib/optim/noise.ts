import { uniform } from './random.js'

/**
 * `length` normal numbers of mean 0 and variance 1 that depend on a key alone, so that a run that goes on from a checkpoint
 * sees the same noise. Box-Muller over the uniform numbers of the stream that the key names.
 */
export function normalNoise(key: string, length: number): Float32Array {
  const seed = hash(key)
  const noise = new Float32Array(length)
  for (let index = 0; index < length; index += 2) {
    const radius = Math.sqrt(-2 * Math.log(uniform(seed, index)))
    const angle = 2 * Math.PI * uniform(seed, index + 1)
    noise[index] = radius * Math.cos(angle)
    if (index + 1 < length) noise[index + 1] = radius * Math.sin(angle)
  }
  return noise
}

/** 32 bits of a key: FNV-1a over its characters. */
function hash(key: string): number {
  let state = 0x811c9dc5
  for (let index = 0; index < key.length; index++) state = Math.imul(state ^ key.charCodeAt(index), 0x01000193)
  return state >>> 0
}
