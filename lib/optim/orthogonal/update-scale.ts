/** Which factor an orthogonalized matrix of `outputs` x `inputs` gets; see {@link UPDATE_SCALES}. */
export type MuonScale = 'spectral' | 'match-rms-adamw' | 'unit-rms' | 'none'

/**
 * Factors of an update of orthonormal rows or columns by its shape:
 *
 *     spectral          sqrt(max(1, out / in))      Jordan's
 *     match-rms-adamw   0.2 sqrt(max(out, in))      entries as large as AdamW's; its learning rates carry over
 *     unit-rms          sqrt(out / in)              operator norm from RMS to RMS of 1
 *     none              1
 *
 * Sources: Jordan et al., Muon, 2024; Liu et al., arXiv 2502.16982, section 2.2; Bernstein and Newhouse, arXiv 2409.20325.
 */
export const UPDATE_SCALES: Record<MuonScale, (outputs: number, inputs: number) => number> = {
  spectral: (outputs, inputs) => Math.sqrt(Math.max(1, outputs / inputs)),
  'match-rms-adamw': (outputs, inputs) => 0.2 * Math.sqrt(Math.max(outputs, inputs)),
  'unit-rms': (outputs, inputs) => Math.sqrt(outputs / inputs),
  none: () => 1,
}

export const SCALE_NAMES = Object.keys(UPDATE_SCALES) as MuonScale[]
