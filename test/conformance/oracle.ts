// What the conformance tests share: stacked inputs, exact answers in f64, and the f32 eigh route to beat.
import { expect } from 'vitest'
import { type Device, eigh, matmul, type RootMethod, type Tensor } from '../../lib/index.js'
import { type DType, type Multiply, typed, type ZooMatrix } from '../matrices/zoo.js'

/** Products of the ratios on a device in f64; matmul.test.ts verifies that product against exact sums. */
export function multiplyOn(device: Device): Multiply {
  return (m, n, k, a, b, t) => {
    const left = device.tensor(a, t ? [k, m] : [m, k])
    const right = device.tensor(b, [k, n])
    const product = matmul(left, right, { transposeA: t !== undefined })
    const data = product.data() as Float64Array
    for (const tensor of [left, right, product]) tensor.dispose()
    return data
  }
}

/** Whether a method takes the root p: those that take square roots need 2, 4, 8, ... in lowest terms. */
export function takesRoot(method: RootMethod, p: number | readonly [number, number]): boolean {
  if (method !== 'newton-db' && method !== 'cans') return true
  return typeof p === 'number' ? [2, 4, 8, 16, 32, 64].includes(Math.abs(p)) : String(p) === '4,3'
}

/** A batch of equally large matrices. */
export function stacked(device: Device, matrices: readonly ZooMatrix[], dtype: DType): Tensor {
  const n = matrices[0]?.n ?? 0
  const data = new Float64Array(matrices.length * n * n)
  for (const [i, matrix] of matrices.entries()) data.set(matrix.data, i * n * n)
  return device.tensor(typed(dtype, data), [matrices.length, n, n])
}

/** Matrix `index` of a batch read back, in f64. */
export function item(data: Float32Array | Float64Array, index: number, size: number): Float64Array {
  return Float64Array.from(data.subarray(index * size, (index + 1) * size))
}

/** (A + A^T) / 2: what is symmetric enough in f32 is not in f64. */
export function symmetricPart(a: Float64Array, n: number): Float64Array {
  return a.map((x, index) => 0.5 * x + 0.5 * a[(index % n) * n + Math.floor(index / n)]!)
}

/** Ascending eigenvalues of the symmetric part in f64. */
export function eigenvalues(device: Device, a: Float64Array, n: number): Float64Array {
  const tensor = device.tensor(symmetricPart(a, n), [n, n])
  const { values } = eigh(tensor, { vectors: false })
  const data = values.data() as Float64Array
  tensor.dispose()
  values.dispose()
  return data
}

/** V f(w) V^T in f64 from an eigendecomposition of the symmetric part of A in f64. */
export function symmetricFunction(device: Device, a: Float64Array, n: number, f: (w: number) => number): Float64Array {
  const tensor = device.tensor(symmetricPart(a, n), [n, n])
  const { values, vectors } = eigh(tensor)
  const w = values.data()
  const v = vectors!.data() as Float64Array
  const scaledVectors = v.map((x, index) => x * f(w[index % n]!))
  const left = device.tensor(scaledVectors, [n, n])
  const product = matmul(left, vectors!, { transposeB: true })
  const data = product.data() as Float64Array
  for (const t of [tensor, values, vectors!, left, product]) t.dispose()
  return data
}

/**
 * The f32 eigh route, as a user would write it: w, V = eigh(A), X = (V f(w)) V^T, all in f32.
 * f gets max(w, 0), as inverse_root counts small negative eigenvalues as 0.
 */
export function eighRoute(device: Device, a: Float64Array, n: number, f: (w: number) => number): Float64Array {
  const tensor = device.tensor(Float32Array.from(a), [n, n])
  const { values, vectors } = eigh(tensor)
  const w = values.data()
  const scaledVectors = (vectors!.data() as Float32Array).map(
    (x, index) => x * Math.fround(f(Math.max(w[index % n]!, 0))),
  )
  const left = device.tensor(scaledVectors, [n, n])
  const product = matmul(left, vectors!, { transposeB: true })
  const data = Float64Array.from(product.data())
  for (const t of [tensor, values, vectors!, left, product]) t.dispose()
  return data
}

/** Fails unless both hold the same bits: -0, NaN and the last digit count. */
export function expectSameBits(actual: Float32Array | Float64Array, expected: Float32Array | Float64Array): void {
  const bytes = (data: typeof actual) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  expect(actual.constructor).toBe(expected.constructor)
  if (bytes(actual).equals(bytes(expected))) return
  const at = actual.findIndex((x, i) => !Object.is(x, expected[i]))
  expect.fail(`${actual.length} and ${expected.length} elements; [${at}] is ${actual[at]}, expected ${expected[at]}`)
}
