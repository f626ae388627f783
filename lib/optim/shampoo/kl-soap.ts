import { checkFields } from '../../errors.js'
import type { Rule } from '../rule.js'
import { type AdamInBasesState, adamInBases } from './adam-in-bases.js'
import { type SoapOptions, soapOptions, soapSettings } from './soap.js'

/** Options of {@link klSoap}: those of SOAP; tensors of order > 2 are merged into matrices. */
export type KlSoapOptions = Omit<SoapOptions, 'merge'>

/**
 * KL-SOAP: {@link soap} in the eigenbases of KL-Shampoo's factors. For a matrix G, m x n, with Z = Q_L^T G Q_R,
 *
 *     L <- factorBeta L + (1 - factorBeta) G R^{-1} G^T / n            R^{-1} = Q_R diag(1 / r) Q_R^T
 *     l_i <- factorBeta l_i + (1 - factorBeta) sum_j Z_ij^2 / (n r_j)  its eigenvalues, diag(Q_L^T L Q_L)
 *
 * and likewise for R and r. Everything else is SOAP's.
 *
 * Source: Lin et al., arXiv 2509.03378, section 4.
 */
export function klSoap(options: KlSoapOptions = {}): Rule<AdamInBasesState> {
  checkFields(
    'klSoap',
    options,
    soapOptions.filter((option) => option !== 'merge'),
  )
  return adamInBases(soapSettings('klSoap', { ...options, merge: { threshold: 2 ** 40, target: 2 } }, true))
}
