import { checkFields, KronrootError } from '../../errors.js'
import type { BatchChange } from '../../schedule/batch-scaling.js'
import { numberIn, oneOf } from '../../schedule/validate.js'
import type { Spectrum } from './hessian-spectrum.js'

/** Options of {@link suggestRates}. */
export interface SuggestionOptions {
  /** Largest condition number that is taken for real, > 1. Default 1e4. */
  readonly condition?: number
  /** Part of the eigenvalues, by magnitude, that are the bulk around zero, 0 < bulk < 1. Default 0.9. */
  readonly bulk?: number
  /** The batch of the spectrum and that of the training, if they differ. */
  readonly batch?: BatchChange
  /** How the learning rate follows the batch: `linear` (default, SGD) or `square-root` (adaptive rules). */
  readonly scaling?: 'linear' | 'square-root'
}

/** What a spectrum says about step sizes. */
export interface Suggestion {
  /** 2 / lambda_max: above it, gradient descent diverges along the sharpest direction. */
  readonly largestLr: number
  /** Gradient descent without momentum. */
  readonly lr: number
  /** Heavy ball. */
  readonly heavyBall: { readonly lr: number; readonly momentum: number }
  /** For rules that divide by curvature. */
  readonly damping: number
}

/**
 * Learning rates and damping from the edges of a spectrum, L = lambda_max and l = max(smallest eigenvalue, L / condition):
 *
 *     lr           2 / (L + l)
 *     heavy ball   lr = (2 / (sqrt L + sqrt l))^2,   momentum = ((sqrt L - sqrt l) / (sqrt L + sqrt l))^2
 *     damping      max(-lambda_min, edge of the bulk): curvature below it is the noise of one batch, or negative
 *
 * For a batch kappa times as large, learning rates grow by kappa (`linear`) or sqrt(kappa), and the damping by that over kappa
 * (the least damping goes as lr / B). L is taken with its error bound, so that the rates are on the safe side.
 *
 * Source: Polyak, USSR Comp. Math. Math. Phys. 4 (1964), for the rates; Granziol, Zohren and Roberts, Learning Rates as a
 * Function of Batch Size, arXiv 2006.09092, for spectrum edges and batch sizes.
 *
 * @throws ERR_OPTION where no eigenvalue is positive: there is no curvature to go by.
 */
export function suggestRates(spectrum: Spectrum, options: SuggestionOptions = {}): Suggestion {
  const owner = 'suggestRates'
  checkFields(owner, options, ['condition', 'bulk', 'batch', 'scaling'])
  const condition = numberIn(owner, 'condition', options.condition ?? 1e4, { above: 1 })
  const bulk = numberIn(owner, 'bulk', options.bulk ?? 0.9, { above: 0, below: 1 })
  const scaling = oneOf(owner, 'scaling', options.scaling ?? 'linear', ['linear', 'square-root'])
  const { from, to } = options.batch ?? { from: 1, to: 1 }
  const kappa = numberIn(owner, 'batch.to', to, { above: 0 }) / numberIn(owner, 'batch.from', from, { above: 0 })
  if (spectrum.largest <= 0) {
    throw new KronrootError('ERR_OPTION', `${owner}: the largest eigenvalue must be > 0, got ${spectrum.largest}`)
  }
  const largest = spectrum.largest + spectrum.largestError
  const least = Math.max(spectrum.smallest, largest / condition)
  const growth = scaling === 'linear' ? kappa : Math.sqrt(kappa)
  const [upper, lower] = [Math.sqrt(largest), Math.sqrt(least)]
  return {
    largestLr: (growth * 2) / largest,
    lr: (growth * 2) / (largest + least),
    heavyBall: { lr: growth * (2 / (upper + lower)) ** 2, momentum: ((upper - lower) / (upper + lower)) ** 2 },
    damping: (growth / kappa) * Math.max(-spectrum.smallest, quantile(spectrum, bulk)),
  }
}

/** Magnitude below which the eigenvalues of this part of the spectrum lie. */
function quantile({ nodes, weights }: Spectrum, part: number): number {
  const order = nodes.map((node, i) => ({ size: Math.abs(node), weight: weights[i]! })).sort((a, b) => a.size - b.size)
  let sum = 0
  for (const { size, weight } of order) {
    sum += weight
    if (sum >= part) return size
  }
  return order[order.length - 1]!.size
}
