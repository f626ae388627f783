// The whole zoo at one size.
import * as classical from './classical.js'
import { lapackType, lapackTypes } from './lapack.js'
import type { ZooMatrix, ZooOptions } from './matrix.js'
import { optimizerMatrices } from './optimizer.js'
import * as spectra from './spectra.js'

export * from './accurate-dot.js'
export * from './classical.js'
export * from './hostile.js'
export * from './lapack.js'
export * from './matrix.js'
export * from './optimizer.js'
export * from './orthogonal.js'
export { Random } from './random.js'
export * from './ratios.js'
export * from './spectra.js'

/** LAPACK's 21 types. */
export function lapackMatrices(n: number, options: ZooOptions): ZooMatrix[] {
  return lapackTypes.map((type) => lapackType(type, n, options))
}

/** Finite symmetric matrices beyond LAPACK's: clustered, graded, deficient, classical, made by optimizers. */
export function otherMatrices(n: number, options: ZooOptions): ZooMatrix[] {
  const { dtype } = options
  return [
    spectra.graded(n, 1e6, options),
    spectra.clustered(n, 1e4, options),
    spectra.dominated(n, 1e6, options),
    spectra.rankDeficient(n, Math.ceil(n / 3), options),
    spectra.slightlyIndefinite(n, 1e-7, options),
    classical.wilkinson(n, dtype),
    classical.gluedWilkinson(n, 1e-6, dtype),
    classical.gluedWilkinson(n, 1e-14, dtype),
    classical.hilbert(n, dtype),
    classical.laplacian(n, dtype),
    classical.minij(n, dtype),
    classical.zeroDiagonal(n),
    ...optimizerMatrices(n, options),
  ]
}
