import { checkFields, KronrootError, shown } from '../errors.js'
import { numberIn } from './validate.js'

/** Square of the norm of a gradient that is a mean over `batch` examples. */
export interface GradientNorm {
  readonly batch: number
  readonly squaredNorm: number
}

/** Signal and noise of gradients. */
export interface NoiseEstimate {
  /** |G|^2, the square of the norm of the true gradient. An estimate, so it may be negative. */
  readonly signal: number
  /** tr(Sigma): variance of the gradient of one example, summed over elements. */
  readonly noise: number
}

/**
 * Unbiased estimates from gradients of two batch sizes:
 *
 *     |G|^2 = (B_b |G_b|^2 - B_s |G_s|^2) / (B_b - B_s),   tr(Sigma) = (|G_s|^2 - |G_b|^2) / (1 / B_s - 1 / B_b)
 *
 * With data parallelism both come for free: |G_s|^2 is the mean over the workers, |G_b|^2 that of their mean gradient.
 *
 * Source: McCandlish et al., An Empirical Model of Large-Batch Training, arXiv 1812.06162, appendix A.1.
 */
export function noiseEstimate(small: GradientNorm, big: GradientNorm): NoiseEstimate {
  const owner = 'noiseEstimate'
  const [s, b] = [checkedNorm(owner, 'small', small), checkedNorm(owner, 'big', big)]
  if (b.batch <= s.batch) {
    throw new KronrootError('ERR_OPTION', `${owner}: big.batch must be > small.batch, got ${b.batch} and ${s.batch}`)
  }
  return {
    signal: (b.batch * b.squaredNorm - s.batch * s.squaredNorm) / (b.batch - s.batch),
    noise: (s.squaredNorm - b.squaredNorm) / (1 / s.batch - 1 / b.batch),
  }
}

function checkedNorm(owner: string, field: string, norm: GradientNorm): GradientNorm {
  checkFields(`${owner}: ${field}`, norm, ['batch', 'squaredNorm'])
  numberIn(owner, `${field}.batch`, norm.batch, { above: 0 })
  numberIn(owner, `${field}.squaredNorm`, norm.squaredNorm, { min: 0 })
  return norm
}

/** A saved {@link NoiseScale}: plain data. */
export interface NoiseScaleState {
  readonly signal: number
  readonly noise: number
  readonly observations: number
}

/**
 * The simple noise scale B = tr(Sigma) / |G|^2: the batch size at which noise and signal are equally large, and above which
 * larger batches pay less and less. Signal and noise are averaged over the run before they are divided, since either
 * estimate alone is noisy and their quotient biased. Source: as for {@link noiseEstimate}, equation 2.9.
 */
export class NoiseScale {
  readonly #decay: number
  #signal = 0
  #noise = 0
  #observations = 0

  /** @param options decay of the averages, 0 <= decay < 1. Default 0.95. */
  constructor(options: { readonly decay?: number } = {}) {
    checkFields('NoiseScale', options, ['decay'])
    this.#decay = numberIn('NoiseScale', 'decay', options.decay ?? 0.95, { min: 0, below: 1 })
  }

  /** Takes the norms of one step. */
  observe(small: GradientNorm, big: GradientNorm): void {
    const { signal, noise } = noiseEstimate(small, big)
    this.#signal += (1 - this.#decay) * (signal - this.#signal)
    this.#noise += (1 - this.#decay) * (noise - this.#noise)
    this.#observations++
  }

  /** The averages, corrected for their start at zero; zeros before the first observation. */
  get estimate(): NoiseEstimate {
    const correction = this.#observations === 0 ? 0 : 1 / (1 - this.#decay ** this.#observations)
    return { signal: this.#signal * correction, noise: this.#noise * correction }
  }

  /** B, in examples: 0 without noise, infinite where no signal is left; undefined before the first observation. */
  get scale(): number | undefined {
    if (this.#observations === 0) return undefined
    if (this.#noise <= 0) return 0
    return this.#signal <= 0 ? Number.POSITIVE_INFINITY : this.#noise / this.#signal
  }

  stateDict(): NoiseScaleState {
    return { signal: this.#signal, noise: this.#noise, observations: this.#observations }
  }

  /** @throws ERR_STATE for anything but a saved state, with nothing changed. */
  loadStateDict(saved: NoiseScaleState): void {
    const { signal, noise, observations } = saved ?? {}
    if (![signal, noise, observations].every(Number.isFinite)) {
      throw new KronrootError(
        'ERR_STATE',
        `NoiseScale: state must be { signal, noise, observations }, got ${shown(saved)}`,
      )
    }
    this.#signal = signal
    this.#noise = noise
    this.#observations = observations
  }
}
