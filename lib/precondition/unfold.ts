/**
 * Moves the first dimension of every tensor of a stack to the end: (d, rest) becomes (rest, d). After k rotations of a
 * tensor of order k the dimensions are back in their places, so the k unfoldings of a mode-by-mode computation are
 * k rotations, each a plain transposition of a d x rest matrix.
 *
 * @param stack `count` tensors of `dimension * rest` elements each.
 */
export function rotateModes(stack: Float32Array, count: number, dimension: number, rest: number): Float32Array {
  const rotated = new Float32Array(stack.length)
  for (let tensor = 0; tensor < count; tensor++) {
    const base = tensor * dimension * rest
    for (let i = 0; i < dimension; i++) {
      for (let j = 0; j < rest; j++) rotated[base + j * dimension + i] = stack[base + i * rest + j]!
    }
  }
  return rotated
}
