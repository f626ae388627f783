// From the shape of a parameter to the shape that is preconditioned. Source: Distributed Shampoo (Shi et al.,
// arXiv 2309.06497), section 3.3; the worked examples are in test/precondition/merge.test.ts.

/** Which dimensions become one before a tensor is cut into blocks. */
export interface Merge {
  /** Largest product of dimensions that may become one dimension. */
  readonly threshold: number
  /** Stop as soon as no more than this many dimensions are left. */
  readonly target: number
}

/**
 * Drops dimensions of size 1, then merges from the last dimension backwards: a dimension joins its right neighbour
 * while the product stays within the threshold; where it does not, a new run starts with it. Merging stops when the
 * target number of dimensions is reached. Row-major memory is untouched: merging is a view.
 *
 * (32, 3, 64, 64), threshold 8192, target 1 -> (96, 4096). A shape of ones only, or the empty one, becomes (1).
 */
export function mergeDimensions(shape: readonly number[], merge: Merge): readonly number[] {
  const squeezed = shape.filter((dimension) => dimension !== 1)
  if (squeezed.length === 0) return [1]
  const merged: number[] = [squeezed[squeezed.length - 1]!]
  for (let left = squeezed.length - 2; left >= 0; left--) {
    const remaining = left + 1 + merged.length
    const joined = squeezed[left]! * merged[0]!
    if (remaining > merge.target && joined <= merge.threshold) merged[0] = joined
    else merged.unshift(squeezed[left]!)
  }
  return merged
}

/** Lengths of the pieces of a dimension cut every `blockSize`: 5 by 2 -> [2, 2, 1]. A size of 0 has no pieces. */
export function splitDimension(size: number, blockSize: number): readonly number[] {
  const pieces: number[] = []
  for (let start = 0; start < size; start += blockSize) pieces.push(Math.min(blockSize, size - start))
  return pieces
}
