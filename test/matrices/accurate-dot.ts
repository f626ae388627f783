/** sum a_i b_i as if in twice the precision (Ogita, Rump, Oishi, "Accurate sum and dot product", Dot2, 2005). */
export function accurateDot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  let correction = 0
  for (let i = 0; i < a.length; i++) {
    const product = a[i]! * b[i]!
    const [ah, al] = split(a[i]!)
    const [bh, bl] = split(b[i]!)
    const productError = al * bl - (product - ah * bh - al * bh - ah * bl)
    const next = sum + product
    const back = next - sum
    correction += sum - (next - back) + (product - back) + productError
    sum = next
  }
  return sum + correction
}

/** Veltkamp's split into two halves of 26 bits. */
function split(x: number): [number, number] {
  const t = 134217729 * x
  const high = t - (t - x)
  return [high, x - high]
}
