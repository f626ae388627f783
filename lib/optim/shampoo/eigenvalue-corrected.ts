import { checkFields } from '../../errors.js'
import type { BasisUpdate } from '../../precondition/bases.js'
import type { Schedule } from '../../schedule/schedule.js'
import { boolean, hyperparameter, oneOf } from '../../schedule/validate.js'
import type { Rule } from '../rule.js'
import { rootRule } from './root-rule.js'
import type { RootState } from './root-state.js'
import { rootSettings, type ShampooOptions, shampooOptions } from './shampoo.js'

/** Options of {@link eigenvalueCorrectedShampoo}: those of Shampoo but for exponents, ridge, root and trace scaling. */
export interface EigenvalueCorrectedOptions
  extends Omit<ShampooOptions, 'exponentOverride' | 'ridge' | 'root' | 'traceScaling'> {
  /** Decay of the second moment in the eigenbases, 0 <= beta < 1. Default 0.999. */
  readonly correctionBeta?: Schedule
  /** Period in steps of that second moment, an integer >= 1. Default 1. */
  readonly correctionEvery?: Schedule
  /** Added to the second moment below the root, > 0. Default 1e-12. */
  readonly epsilon?: Schedule
  /** How bases are brought up to date: `decompose` (default) or a step of orthogonal iteration (`iterate`). */
  readonly update?: BasisUpdate
}

const FIXED: readonly string[] = ['exponentOverride', 'ridge', 'root', 'traceScaling']
const OPTIONS = [
  ...shampooOptions.filter((option) => !FIXED.includes(option)),
  'correctionBeta',
  'correctionEvery',
  'epsilon',
  'update',
]

/**
 * Eigenvalue-corrected Shampoo: Shampoo's factors for their eigenbases alone, and Adam's second moment in them,
 *
 *     V <- beta V + (1 - beta) (Q_L^T G Q_R)^2          V' corrected for its start at zero
 *     D = Q_L ((Q_L^T M Q_R) / sqrt(V' + epsilon)) Q_R^T
 *
 * with M the average of the gradient in its own coordinates, and likewise for tensors of any order. Order of operations:
 * statistics; bases, if due; V; average; D; graft; momentum: the gradient meets bases that have seen it (SOAP's have not). V is
 * carried from basis to basis as in {@link soap}. Everything else is {@link shampoo}'s; no graft is needed, for the scale is
 * Adam's. Dimensions without a full factor take the identity for a basis.
 *
 * Source: Eschenhagen et al., arXiv 2506.03595, section 4; George et al. (EKFAC), arXiv 1806.03884.
 */
export function eigenvalueCorrectedShampoo(options: EigenvalueCorrectedOptions = {}): Rule<RootState> {
  const owner = 'eigenvalueCorrectedShampoo'
  checkFields(owner, options, OPTIONS)
  const { correctionBeta = 0.999, correctionEvery = 1, epsilon = 1e-12, update = 'decompose', ...shared } = options
  const settings = rootSettings(owner, shared)
  return rootRule({
    ...settings,
    correction: {
      every: hyperparameter(owner, 'correctionEvery', correctionEvery, { min: 1, integer: true }),
      beta: hyperparameter(owner, 'correctionBeta', correctionBeta, { min: 0, below: 1 }),
      isCorrected: boolean(owner, 'biasCorrection', options.biasCorrection ?? true),
      epsilon: hyperparameter(owner, 'epsilon', epsilon, { above: 0 }),
      update: oneOf(owner, 'update', update, ['iterate', 'decompose']),
    },
  })
}
