// fp64 linear algebra for the models that rules are compared with: plain loops, nothing of lib/.

/** Row-major fp64 matrix. */
export interface Matrix {
  readonly rows: number
  readonly columns: number
  readonly data: Float64Array
}

export function matrix(rows: number, columns: number, data?: ArrayLike<number>): Matrix {
  return { rows, columns, data: data === undefined ? new Float64Array(rows * columns) : Float64Array.from(data) }
}

export function identity(n: number): Matrix {
  const result = matrix(n, n)
  for (let i = 0; i < n; i++) result.data[i * n + i] = 1
  return result
}

export function transpose(a: Matrix): Matrix {
  const result = matrix(a.columns, a.rows)
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < a.columns; j++) result.data[j * a.rows + i] = a.data[i * a.columns + j]!
  }
  return result
}

export function multiply(a: Matrix, b: Matrix): Matrix {
  const result = matrix(a.rows, b.columns)
  for (let i = 0; i < a.rows; i++) {
    for (let k = 0; k < a.columns; k++) {
      const left = a.data[i * a.columns + k]!
      for (let j = 0; j < b.columns; j++) result.data[i * b.columns + j]! += left * b.data[k * b.columns + j]!
    }
  }
  return result
}

/** s a + t b */
export function combine(s: number, a: Matrix, t: number, b: Matrix): Matrix {
  return matrix(
    a.rows,
    a.columns,
    a.data.map((value, i) => s * value + t * b.data[i]!),
  )
}

export function frobenius(data: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < data.length; i++) sum += data[i]! ** 2
  return Math.sqrt(sum)
}

/** Eigenvalues (unsorted) and eigenvectors (columns) of a symmetric matrix, by cyclic Jacobi rotations. */
export function eigen(a: Matrix): { values: number[]; vectors: Matrix } {
  const n = a.rows
  const work = Float64Array.from(a.data)
  const vectors = identity(n)
  const rotate = (data: Float64Array, step: number, p: number, q: number, c: number, s: number) => {
    for (let i = 0; i < n; i++) {
      const x = data[i * step + p]!
      const y = data[i * step + q]!
      data[i * step + p] = c * x - s * y
      data[i * step + q] = s * x + c * y
    }
  }
  for (let sweep = 0; sweep < 60; sweep++) {
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        const off = work[p * n + q]!
        if (off === 0) continue
        const theta = (work[q * n + q]! - work[p * n + p]!) / (2 * off)
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1))
        const c = 1 / Math.sqrt(t * t + 1)
        rotate(work, n, p, q, c, t * c)
        for (let j = 0; j < n; j++) {
          const x = work[p * n + j]!
          const y = work[q * n + j]!
          work[p * n + j] = c * x - t * c * y
          work[q * n + j] = t * c * x + c * y
        }
        rotate(vectors.data, n, p, q, c, t * c)
      }
    }
  }
  return { values: Array.from({ length: n }, (_, i) => work[i * n + i]!), vectors }
}

/** f(A) of a symmetric matrix. */
export function spectral(a: Matrix, f: (value: number) => number): Matrix {
  const { values, vectors } = eigen(a)
  const scaled = matrix(
    a.rows,
    a.rows,
    vectors.data.map((value, index) => value * f(values[index % a.rows]!)),
  )
  return multiply(scaled, transpose(vectors))
}

/** U V^T of A = U S V^T, A of full rank. */
export function polarFactor(a: Matrix): Matrix {
  if (a.rows > a.columns) return transpose(polarFactor(transpose(a)))
  const gram = multiply(a, transpose(a))
  return multiply(
    spectral(gram, (value) => value ** -0.5),
    a,
  )
}
