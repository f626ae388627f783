import { checkFields } from '../../errors.js'
import { oneOf } from '../../schedule/validate.js'
import type { Rule } from '../rule.js'
import { gradientAverage } from './gradient-average.js'
import {
  ORTHOGONAL_FIELDS,
  type OrthogonalOptions,
  type OrthogonalState,
  orthogonalRule,
  scaleStacks,
} from './orthogonal-rule.js'
import { type MuonScale, SCALE_NAMES, UPDATE_SCALES } from './update-scale.js'

/** Options of {@link muon}. Defaults: momentum 0.95, with Nesterov. */
export interface MuonOptions extends OrthogonalOptions {
  /** Factor of the update by shape. Default `spectral`. */
  readonly scale?: MuonScale
}

/**
 * Muon: momentum, orthogonalized by Newton-Schulz,
 *
 *     M <- mu M + (1 - mu) G
 *     B = (1 - mu) G + mu M with Nesterov, else M
 *     D = s U V^T,  B = U S V^T
 *
 * for weights of order >= 2; tensors of higher order are flattened to outputs x everything else. Factors s of the update are
 * those of `scale`:
 *
 *     spectral          sqrt(max(1, out / in))      Jordan's
 *     match-rms-adamw   0.2 sqrt(max(out, in))      entries as large as AdamW's; its learning rates carry over
 *     unit-rms          sqrt(out / in)              operator norm from RMS to RMS of 1
 *     none              1
 *
 * `splits` and `heads` declare weights that hold several matrices, such as a fused query, key and value projection; each is
 * orthogonalized apart, with the s of its own shape:
 *
 *     muon({ splits: { 'attention.qkv': [768, 768, 768] }, heads: { 'attention.qkv': 12 } })
 *
 * Equal shapes of the group are stacked and take one native call. Biases, norms and embeddings belong to another rule.
 * State: 1 fp32 number an element. A gradient average of exactly zero gives a direction of zero.
 *
 * Source: Jordan et al., Muon, 2024 (kellerjordan.github.io/posts/muon); scales: Liu et al., arXiv 2502.16982, section
 * 2.2; Bernstein and Newhouse, arXiv 2409.20325.
 */
export function muon(options: MuonOptions = {}): Rule<OrthogonalState> {
  checkFields('muon', options, [...ORTHOGONAL_FIELDS, 'scale'])
  const scale = UPDATE_SCALES[oneOf('muon', 'scale', options.scale ?? 'spectral', SCALE_NAMES)]
  return orthogonalRule(
    {
      name: 'muon',
      average: gradientAverage('muon', options, { momentum: 0.95, nesterov: true }),
      finish: (_, stacks, __, device) => scaleStacks(device, stacks, scale),
      flopsPerElement: 1,
    },
    options,
  )
}
