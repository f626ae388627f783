// Reproducible numbers for tests: xorshift32 and Box-Muller.

/** Uniform numbers in (0, 1). */
export function uniform(seed: number): () => number {
  let state = seed | 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return ((state >>> 0) + 0.5) / 2 ** 32
  }
}

/** Standard normal numbers. */
export function normal(seed: number): () => number {
  const next = uniform(seed)
  for (let i = 0; i < 16; i++) next()
  return () => Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next())
}

export function normalArray(length: number, next: () => number, scale = 1): Float32Array {
  return Float32Array.from({ length }, () => scale * next())
}

/** `steps` lists of gradients for the shapes, with magnitudes that vary over time and over elements. */
export function gradientSequence(shapes: readonly (readonly number[])[], steps: number, seed = 7): Float32Array[][] {
  const next = normal(seed)
  const sizes = shapes.map((shape) => shape.reduce((product, dimension) => product * dimension, 1))
  const profiles = sizes.map((size) => Float32Array.from({ length: size }, (_, i) => 0.2 + (i % 7) / 3))
  return Array.from({ length: steps }, (_, step) =>
    sizes.map((size, index) =>
      normalArray(size, next, 0.1 + 0.05 * (step % 5)).map((value, i) => value * profiles[index]![i]! + 0.02),
    ),
  )
}
