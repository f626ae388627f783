/**
 * Weights c of a regularised minimal polynomial extrapolation of the sequence x_0 .. x_r, sum c_i x_i for i < r: what it
 * would tend to if it were x_{i+1} = A x_i + b. With U = [x_1 - x_0, ..., x_r - x_{r-1}]
 *
 *     (U^T U + lambda I) z = 1     c = z / sum z
 *
 * lambda = regularization times the mean of U^T U's diagonal.
 *
 * Source: Scieur, d'Aspremont and Bach, arXiv 1606.04133, algorithm 1.
 *
 * @param dot inner product of x_i and x_j; 0 <= i, j <= r
 */
export function extrapolationWeights(
  r: number,
  dot: (i: number, j: number) => number,
  regularization: number,
): readonly number[] {
  const gram = Array.from({ length: r }, (_, i) =>
    Array.from({ length: r }, (_, j) => dot(i + 1, j + 1) - dot(i + 1, j) - dot(i, j + 1) + dot(i, j)),
  )
  const trace = gram.reduce((sum, row, i) => sum + row[i]!, 0)
  // A sequence that stands still tends to where it is.
  if (!(trace > 0)) return gram.map(() => 1 / r)
  gram.forEach((row, i) => {
    row[i]! += (regularization * trace) / r
  })
  const z = solvePositive(gram)
  const total = z.reduce((sum, value) => sum + value, 0)
  return z.map((value) => value / total)
}

/** A z = 1 for a small symmetric positive definite A, which is overwritten: Gauss without pivots. */
function solvePositive(a: number[][]): number[] {
  const z = a.map(() => 1)
  a.forEach((pivot, k) => {
    for (let i = k + 1; i < a.length; i++) {
      const factor = a[i]![k]! / pivot[k]!
      for (let j = k; j < a.length; j++) a[i]![j]! -= factor * pivot[j]!
      z[i]! -= factor * z[k]!
    }
  })
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = i + 1; j < a.length; j++) z[i]! -= a[i]![j]! * z[j]!
    z[i]! /= a[i]![i]!
  }
  return z
}
