// Random numbers without state: functions of a seed and a counter, so that whoever keeps the count can go on where another run
// stopped. Not for cryptography. Source: the finaliser of MurmurHash3 (Appleby), applied to the words in turn.

/** 32 random bits for each counter 0, 1, ... of a stream. */
function randomBits(seed: number, counter: number): number {
  const high = Math.floor(counter / 2 ** 32)
  return mixed(mixed(mixed(seed ^ 0x9e3779b9) + high) + counter)
}

/** Uniform in (0, 1). */
export function uniform(seed: number, counter: number): number {
  return (randomBits(seed, counter) + 0.5) / 2 ** 32
}

/** From the exponential distribution of mean 1. */
export function exponential(seed: number, counter: number): number {
  return -Math.log(uniform(seed, counter))
}

/** Every bit of a 32-bit word depends on every bit of the given one. */
export function mixed(word: number): number {
  let bits = word >>> 0
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
