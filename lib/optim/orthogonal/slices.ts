// Norms of the rows or of the columns of every matrix of a stack [matrices, rows, columns].
import { kronSolve, kronSquares } from '../../linalg/kron-solve.js'
import { matmul } from '../../linalg/matmul.js'
import type { Tensor } from '../../tensor.js'

export type Slices = 'rows' | 'columns'

/** Sums (`alpha` 1) of the squares of each slice, [matrices, slices, 1]. The squares themselves go to `squares`. */
export function sliceSquares(x: Tensor, slices: Slices, squares: Tensor, alpha = 1): Tensor {
  const [, rows, columns] = x.shape as [number, number, number]
  kronSquares(x, null, null, { into: squares, beta: 0, weight: 1 })
  const length = slices === 'rows' ? columns : rows
  using ones = x.device.tensor(new Float32Array(length).fill(1), [1, length, 1])
  return matmul(squares, ones, { transposeA: slices === 'columns', alpha })
}

/** Divides each slice by the root of its value plus epsilon, in place; where that is 0, the slice becomes 0. */
export function divideSlices(x: Tensor, slices: Slices, squares: Tensor, epsilon = 0): void {
  const [matrices, rows, columns] = x.shape as [number, number, number]
  using values = x.device.wrap(squares.pointer, [matrices, slices === 'rows' ? rows : columns])
  const [left, right] = slices === 'rows' ? [{ values }, null] : [null, { values }]
  kronSolve(x, left, right, { damping: 'none', power: 0.5, epsilon, out: x })
}

/** Slices of length 1, in place; epsilon is added to the lengths, and slices of zeros stay. Entries must be near 1. */
export function normalizeSlices(x: Tensor, slices: Slices, epsilon = 0): void {
  using squares = x.device.empty(x.shape)
  using sums = sliceSquares(x, slices, squares)
  divideSlices(x, slices, sums, epsilon)
}
