// Random signs that depend on a seed, a step and a name alone: nothing of them has to be saved.

/** A 32-bit hash of a name: FNV-1a. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** The finalizer of MurmurHash3: every bit of the answer depends on every bit of the number. */
function mixed(number: number): number {
  let bits = number | 0
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}

/** Start of a stream of random numbers. */
function streamOf(seed: number, step: number, name: string): number {
  return mixed(mixed(mixed(seed) + step) ^ hashOf(name))
}

/** A number in [0, 1). */
export function uniformAt(seed: number, step: number): number {
  return streamOf(seed, step, '') / 2 ** 32
}

/** Fills an array with signs +1 and -1, 32 of them from a counted hash. Their covariance is the identity, as Gaussians' is. */
export function fillSigns(array: Float32Array, seed: number, step: number, name: string): void {
  const stream = streamOf(seed, step, name)
  let bits = 0
  for (let i = 0; i < array.length; i++) {
    if ((i & 31) === 0) bits = mixed(stream + Math.imul((i >>> 5) + 1, 0x9e3779b9))
    array[i] = bits & 1 ? 1 : -1
    bits >>>= 1
  }
}
