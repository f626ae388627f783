// What a benchmark says: one row per variant of ours and peer, times beside accuracy.

/** A measurement as `--json` prints it. Absent peers and unknown quantities are null. */
export interface Row {
  readonly op: string
  /** Order of the matrices; the short side of rectangles. */
  readonly n: number
  readonly batch: number
  readonly dtype: 'f32' | 'f64'
  /** lambda_max / lambda_min of the inputs, after the ridge, where they were made with one. */
  readonly condition: number | null
  readonly device: string
  readonly isa: string
  readonly method: string
  /** Median milliseconds for the whole batch. */
  readonly ms: number
  readonly peer: string | null
  readonly peerMs: number | null
  /** peerMs / ms: above 1 we are faster. */
  readonly ratio: number | null
  /**
   * Relative Frobenius error against f64 (roots, products), against the f64 run of the same polynomial (Newton-Schulz)
   * or the larger of LAPACK's two ratios (eigh); the worst matrix checked.
   */
  readonly error: number | null
  readonly peerError: number | null
  /** Floating-point operations of the method per second, over the measured peak of the threads used. */
  readonly peakFraction: number | null
}

/** Half the distance between the quartiles over the median; null where too few samples were taken. */
export interface Spread {
  readonly own: number | null
  readonly peer: number | null
}

export interface Measured {
  readonly row: Row
  readonly spread: Spread
}

export interface Side {
  readonly ms: number
  readonly error: number | null
  readonly spread: number | null
}

export interface Subject {
  readonly op: string
  readonly n: number
  readonly batch: number
  readonly dtype: 'f32' | 'f64'
  readonly condition: number | null
  readonly device: string
  readonly isa: string
}

/** The row of one variant of ours against one peer, or against none. */
export function measured(
  subject: Subject,
  own: Side & { method: string; flop: number | null },
  peer: (Side & { name: string }) | null,
  peakFlops: number | null,
): Measured {
  const perSecond = own.flop === null ? null : own.flop / (own.ms / 1e3)
  return {
    row: {
      ...subject,
      method: own.method,
      ms: own.ms,
      peer: peer?.name ?? null,
      peerMs: peer?.ms ?? null,
      ratio: peer ? peer.ms / own.ms : null,
      error: own.error,
      peerError: peer?.error ?? null,
      peakFraction: perSecond !== null && peakFlops ? perSecond / peakFlops : null,
    },
    spread: { own: own.spread, peer: peer?.spread ?? null },
  }
}
