// ml-matrix: the pure-JavaScript baseline, f64, one matrix at a time.
import type { EigenvalueDecomposition, Matrix, SingularValueDecomposition } from 'ml-matrix'

interface Module {
  readonly Matrix: typeof Matrix
  readonly EigenvalueDecomposition: typeof EigenvalueDecomposition
  readonly SingularValueDecomposition: typeof SingularValueDecomposition
}

export interface MlMatrixPeer {
  matrix(data: ArrayLike<number>, rows: number, columns: number): Matrix
  /** Eigenvalues ascending, eigenvector j in column j. */
  eigh(a: Matrix): { values: number[]; vectors: Matrix }
  /** V f(w) V^T. */
  symmetricFunction(a: Matrix, f: (w: number) => number): Matrix
  newtonSchulz(a: Matrix, triples: readonly (readonly [number, number, number])[]): Matrix
  /** U V^T by the singular value decomposition. */
  polar(a: Matrix): Matrix
}

export async function connect(log: (line: string) => void): Promise<MlMatrixPeer | undefined> {
  try {
    return peer(await import('ml-matrix'))
  } catch {
    log('ml-matrix: no peer. To compare with it: npm install ml-matrix')
    return undefined
  }
}

function peer({ Matrix, EigenvalueDecomposition, SingularValueDecomposition }: Module): MlMatrixPeer {
  const eigh = (a: Matrix) => {
    const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(a, { assumeSymmetric: true })
    return { values: realEigenvalues, vectors: eigenvectorMatrix }
  }
  return {
    matrix: (data, rows, columns) => Matrix.from1DArray(rows, columns, Array.from(data)),
    eigh,
    symmetricFunction(a, f) {
      const { values, vectors } = eigh(a)
      return vectors.clone().mulRowVector(values.map(f)).mmul(vectors.transpose())
    },
    newtonSchulz(a, triples) {
      let x = Matrix.mul(a, 1 / a.norm('frobenius'))
      for (const [slope, cubic, fifth] of triples) {
        const s = x.mmul(x.transpose())
        const polynomial = s.mmul(s).mul(fifth).add(Matrix.mul(s, cubic))
        x = polynomial.mmul(x).add(Matrix.mul(x, slope))
      }
      return x
    },
    polar(a) {
      const svd = new SingularValueDecomposition(a, { autoTranspose: true })
      return svd.leftSingularVectors.mmul(svd.rightSingularVectors.transpose())
    },
  }
}
