// Elementwise updates. Arrays are fp32; every expression is evaluated in fp64 (JavaScript's only arithmetic) and rounded
// once, when it is stored. So each stored value is within half an ulp of the formula applied to stored values.

/** a <- beta a + (1 - beta) x */
export function average(a: Float32Array, x: Float32Array, beta: number): void {
  const weight = 1 - beta
  for (let i = 0; i < a.length; i++) a[i] = beta * a[i]! + weight * x[i]!
}

/** a <- beta a + (1 - beta) x^2 */
export function averageSquares(a: Float32Array, x: Float32Array, beta: number): void {
  const weight = 1 - beta
  for (let i = 0; i < a.length; i++) a[i] = beta * a[i]! + weight * (x[i]! * x[i]!)
}

/** a <- a + x^2 */
export function addSquares(a: Float32Array, x: Float32Array): void {
  for (let i = 0; i < a.length; i++) a[i] = a[i]! + x[i]! * x[i]!
}

/** target <- s a + t b; target may be a or b. */
export function combine(target: Float32Array, s: number, a: Float32Array, t: number, b: Float32Array): void {
  for (let i = 0; i < target.length; i++) target[i] = s * a[i]! + t * b[i]!
}

/** target <- s a; target may be a. */
export function scale(target: Float32Array, s: number, a: Float32Array): void {
  for (let i = 0; i < target.length; i++) target[i] = s * a[i]!
}

/** target <- s m / (sqrt(t v) + epsilon) */
export function adaptive(
  target: Float32Array,
  s: number,
  m: Float32Array,
  t: number,
  v: Float32Array,
  epsilon: number,
): void {
  for (let i = 0; i < target.length; i++) target[i] = (s * m[i]!) / (Math.sqrt(t * v[i]!) + epsilon)
}

/** w <- w - lr d - decay w */
export function descend(w: Float32Array, lr: number, d: Float32Array, decay: number): void {
  for (let i = 0; i < w.length; i++) w[i] = w[i]! - lr * d[i]! - decay * w[i]!
}

/** Whether every element is a finite number. */
export function allFinite(x: Float32Array): boolean {
  // A sum of finite fp32 numbers cannot overflow in fp64, and one NaN or infinity makes it non-finite for good.
  let sum = 0
  for (let i = 0; i < x.length; i++) sum += x[i]!
  return Number.isFinite(sum)
}
