// Standard normal numbers that depend on a key alone, so that a run that goes on from a checkpoint sees the same noise.
import { mixed } from './random.js'

/** 32 bits of a key: FNV-1a over its characters, finished by MurmurHash3's mixer. */
function hash(key: string): number {
  let state = 0x811c9dc5
  for (let index = 0; index < key.length; index++) state = Math.imul(state ^ key.charCodeAt(index), 0x01000193)
  return mixed(state)
}

/** `length` normal numbers of mean 0 and variance 1: Box-Muller over a Weyl sequence of hashes. */
export function normalNoise(key: string, length: number): Float32Array {
  const start = hash(key)
  const uniform = (index: number) => (mixed(start + Math.imul(index, 0x9e3779b9)) + 0.5) / 2 ** 32
  const noise = new Float32Array(length)
  for (let index = 0; index < length; index += 2) {
    const radius = Math.sqrt(-2 * Math.log(uniform(index)))
    const angle = 2 * Math.PI * uniform(index + 1)
    noise[index] = radius * Math.cos(angle)
    if (index + 1 < length) noise[index + 1] = radius * Math.sin(angle)
  }
  return noise
}
