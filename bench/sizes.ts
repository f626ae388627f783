// The orders that subjects measure, and how many matrices a call gets: enough to fill lanes and threads, and, for tiny
// matrices, to make the cost of the call itself small.
export const batches: Readonly<Record<number, number>> = {
  4: 8192,
  8: 4096,
  16: 2048,
  32: 1024,
  64: 512,
  128: 256,
  256: 16,
  512: 8,
  1024: 8,
}

export const orders: readonly number[] = Object.keys(batches).map(Number)

/** The orders of `--quick`. */
export const quickOrders: readonly number[] = [8, 32, 128, 256]
