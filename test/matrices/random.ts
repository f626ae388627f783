// A seeded generator, so that every matrix of the zoo is the same on every machine and in every run.

const rotateLeft = (x: number, k: number) => (x << k) | (x >>> (32 - k))

/**
 * xoshiro128** 1.1, seeded by splitmix32; uniforms of 53 bits, normals by Marsaglia's polar method.
 * Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 47 (2021).
 */
export class Random {
  readonly #state = new Uint32Array(4)
  #spare: number | undefined

  constructor(seed: number) {
    let z = seed >>> 0
    for (let i = 0; i < 4; i++) {
      z = (z + 0x9e3779b9) >>> 0
      let t = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
      t = Math.imul(t ^ (t >>> 15), 0x735a2d97)
      this.#state[i] = t ^ (t >>> 15)
    }
  }

  uint32(): number {
    const s = this.#state
    const result = Math.imul(rotateLeft(Math.imul(s[1]!, 5), 7), 9) >>> 0
    const t = s[1]! << 9
    s[2]! ^= s[0]!
    s[3]! ^= s[1]!
    s[1]! ^= s[2]!
    s[0]! ^= s[3]!
    s[2]! ^= t
    s[3] = rotateLeft(s[3]!, 11)
    return result
  }

  /** Uniform in [low, high). */
  uniform(low = 0, high = 1): number {
    const bits53 = (this.uint32() >>> 5) * 67108864 + (this.uint32() >>> 6)
    return low + (high - low) * (bits53 / 9007199254740992)
  }

  /** Uniform integer in [low, high]. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.uniform() * (high - low + 1))
  }

  sign(): 1 | -1 {
    return this.uint32() & 0x80000000 ? -1 : 1
  }

  /** One of the choices, uniformly. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.integer(0, choices.length - 1)]!
  }

  /** Standard normal. */
  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare
      this.#spare = undefined
      return spare
    }
    for (;;) {
      const u = this.uniform(-1, 1)
      const v = this.uniform(-1, 1)
      const s = u * u + v * v
      if (s > 0 && s < 1) {
        const scale = Math.sqrt((-2 * Math.log(s)) / s)
        this.#spare = v * scale
        return u * scale
      }
    }
  }

  normals(count: number): Float64Array {
    return Float64Array.from({ length: count }, () => this.normal())
  }
}
