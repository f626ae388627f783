/**
 * Seeded random numbers: xoshiro128** (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2018),
 * seeded by SplitMix32. The same seed gives the same numbers on every machine; not for cryptography.
 */
export class Random {
  readonly #state = new Uint32Array(4)

  constructor(seed: number) {
    let z = seed >>> 0
    for (let i = 0; i < 4; i++) {
      z = (z + 0x9e3779b9) >>> 0
      let mixed = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
      mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
      this.#state[i] = mixed ^ (mixed >>> 16)
    }
  }

  /** A 32-bit unsigned integer. */
  uint32(): number {
    const s = this.#state
    const scrambled = Math.imul(rotateLeft(Math.imul(s[1]!, 5), 7), 9) >>> 0
    const shifted = s[1]! << 9
    s[2]! ^= s[0]!
    s[3]! ^= s[1]!
    s[1]! ^= s[2]!
    s[0]! ^= s[3]!
    s[2]! ^= shifted
    s[3] = rotateLeft(s[3]!, 11)
    return scrambled
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return this.uint32() / 2 ** 32
  }

  /** 0..count-1 in random order (Fisher-Yates). */
  permutation(count: number): Uint32Array {
    const order = Uint32Array.from({ length: count }, (_, i) => i)
    for (let last = count - 1; last > 0; last--) {
      const other = Math.floor(this.uniform() * (last + 1))
      const kept = order[last]!
      order[last] = order[other]!
      order[other] = kept
    }
    return order
  }
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}
