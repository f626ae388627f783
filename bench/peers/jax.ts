// jax-js: the batched JavaScript baseline, f32, on its wasm backend. Arrays are consumed by the ops they are given to;
// `.ref` keeps one.
import type { numpy } from '@jax-js/jax'

type Jax = typeof import('@jax-js/jax')
export type JaxArray = numpy.Array

export interface JaxPeer {
  array(data: Float32Array, shape: number[]): JaxArray
  matmul(a: JaxArray, b: JaxArray): JaxArray
  /** Eigenvalues ascending, eigenvector j in column j. */
  eigh(a: JaxArray): { values: JaxArray; vectors: JaxArray }
  /** V diag((max(w, 0) + ridge)^exponent) V^T. */
  symmetricPower(a: JaxArray, exponent: number, ridge: number): JaxArray
  newtonSchulz(a: JaxArray, triples: readonly (readonly [number, number, number])[]): JaxArray
  /** Waits for the result, gives its numbers and frees it. */
  read(a: JaxArray): Float32Array
}

export async function connect(log: (line: string) => void): Promise<JaxPeer | undefined> {
  try {
    const jax = await import('@jax-js/jax')
    // init() without a name asks for `navigator`, which Node 20 does not have.
    await jax.init('wasm')
    jax.defaultDevice('wasm')
    return peer(jax)
  } catch {
    log('jax-js: no peer. To compare with it: npm install @jax-js/jax')
    return undefined
  }
}

function peer({ numpy: np }: Jax): JaxPeer {
  const transposed = (a: JaxArray) => np.matrixTranspose(a)
  return {
    array: (data, shape) => np.array(data).reshape(shape),
    matmul: (a, b) => np.matmul(a.ref, b.ref),
    eigh(a) {
      const [values, vectors] = np.linalg.eigh(a.ref)
      return { values, vectors }
    },
    symmetricPower(a, exponent, ridge) {
      const [values, vectors] = np.linalg.eigh(a.ref)
      const weights = np.expandDims(np.power(np.maximum(values, 0).add(ridge), exponent), -2)
      return np.matmul(vectors.ref.mul(weights), transposed(vectors))
    },
    newtonSchulz(a, triples) {
      const norm = np.sqrt(np.sum(np.square(a.ref), [-2, -1], { keepdims: true }))
      let x: JaxArray = a.ref.div(norm)
      for (const [slope, cubic, fifth] of triples) {
        const s = np.matmul(x.ref, transposed(x.ref))
        const polynomial = s.ref.mul(cubic).add(np.matmul(s.ref, s).mul(fifth))
        x = np.matmul(polynomial, x.ref).add(x.mul(slope))
      }
      return x
    },
    read: (a) => a.dataSync() as Float32Array,
  }
}
