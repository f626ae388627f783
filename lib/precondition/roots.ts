import { checkFields } from '../errors.js'
import { type InverseRootOptions, inverseRoot, rootMethods } from '../linalg/inverse-root.js'
import type { Ridge } from '../linalg/ridge.js'
import { boolean, numberIn, oneOf } from '../schedule/validate.js'
import type { Tensor } from '../tensor.js'
import { allOrNothing, copyAll, held, keepsArrays, withViews } from './arrays.js'
import { activeFactors, type BucketFactors, type Factor } from './factors.js'

/** Options of the root solver that are handed through. */
export type RootOptions = Pick<InverseRootOptions, 'method' | 'residualBound' | 'fullResidual' | 'maxIterations'>

/** ERR_OPTION where an option of the root solver is unknown or out of range. */
export function checkRootOptions(owner: string, root: RootOptions): RootOptions {
  const { method, residualBound, fullResidual, maxIterations } = root
  checkFields(`${owner}: root`, root, ['method', 'residualBound', 'fullResidual', 'maxIterations'])
  if (method !== undefined) oneOf(owner, 'root.method', method, rootMethods)
  if (residualBound !== undefined) numberIn(owner, 'root.residualBound', residualBound, { above: 0 })
  if (fullResidual !== undefined) boolean(owner, 'root.fullResidual', fullResidual)
  if (maxIterations !== undefined) numberIn(owner, 'root.maxIterations', maxIterations, { min: 1, integer: true })
  return root
}

/**
 * Computes the roots C^{-e} of all factors of a bucket anew, one native call a dimension. A matrix that no rung of the
 * ladder answers keeps its stale root and is counted by the ledger of its factor. The statistics are not changed.
 *
 * @param isCorrected divide averages by 1 - prod(beta), what they lack because they started at zero.
 */
export function refreshRoots(group: BucketFactors, ridge: Ridge, isCorrected: boolean, root: RootOptions): void {
  for (const factor of activeFactors(group)) {
    const [numerator, denominator] = factor.exponent
    const source = isCorrected ? correctedStatistic(group, factor) : factor.statistic
    // A^{-a/b} is the inverse root of order p = b / a.
    const p: [number, number] = [denominator, numerator]
    try {
      const { report } = inverseRoot(source, { ...root, p, ridge, out: factor.root, onFailure: 'keep' })
      factor.ledger.record(report, (block) => group.seen[block] === 1)
    } finally {
      if (source !== factor.statistic) source.dispose()
    }
  }
}

/**
 * The statistic divided by 1 - prod(beta), block by block, in a tensor of its own; the statistic itself where the
 * correction is below the rounding of fp32. Blocks without a gradient so far are left as they are (zero).
 */
function correctedStatistic(group: BucketFactors, factor: Factor): Tensor {
  const isNegligible = group.startWeight.every((weight) => weight === 1 || weight < 2 ** -25)
  if (isNegligible) return factor.statistic
  const elements = factor.size * factor.size
  if (keepsArrays(factor.statistic.device)) return correctedOnDevice(group, factor.statistic, elements)
  const data = factor.statistic.data()
  group.startWeight.forEach((weight, block) => {
    if (weight === 1) return
    const scale = 1 / (1 - weight)
    for (let i = block * elements; i < (block + 1) * elements; i++) data[i]! *= scale
  })
  return factor.statistic.device.tensor(data, factor.statistic.shape)
}

/** The same without the way through JavaScript's memory. */
function correctedOnDevice({ startWeight }: BucketFactors, statistic: Tensor, elements: number): Tensor {
  const { device } = statistic
  return allOrNothing(() => {
    const corrected = held(device.empty(statistic.shape))
    withViews((views) => {
      const copies = Array.from(startWeight, (weight, block) => ({
        from: views.of(statistic, block * elements, elements),
        to: views.of(corrected, block * elements, elements),
        factor: weight === 1 ? 1 : 1 / (1 - weight),
      }))
      copyAll(device, copies)
    })
    return corrected
  })
}
