import type { Device } from '../device.js'
import { checkFields } from '../errors.js'
import { reduce } from '../linalg/reduce.js'
import { lengthOf, type ParameterArray, zeros } from '../precondition/arrays.js'
import type { Schedule } from '../schedule/schedule.js'
import { hyperparameter, optionError } from '../schedule/validate.js'
import { updateAll } from './elementwise.js'
import type { Gradients } from './rule.js'

/**
 * What the directions D of a group are shortened by before they are applied, never lengthened:
 *
 *     { rms: d }   every D by min(1, d / RMS(D))                              Shazeer and Stern, arXiv 1804.04235, section 6
 *     { kl: k }    all D of the group by min(1, sqrt(k / sum lr^2 <D, G>))    the KL clip of KFAC, Ba et al., ICLR 2017
 *
 * Rules that place weights (Lookahead, Schedule-Free, averages) see what they asked for, not what is left of it.
 */
export type UpdateClip = { readonly rms: Schedule } | { readonly kl: Schedule }

/** Factors of the directions, null for null. */
export type ClipFactors = (directions: Gradients, gradients: Gradients, step: number, lr: number) => readonly number[]

/** Checked clipping of a group. */
export function updateClip(owner: string, device: Device, clip: UpdateClip | undefined): ClipFactors {
  if (clip === undefined) return (directions) => directions.map(() => 1)
  const allowed = 'an object with one of rms, kl'
  if (clip === null || typeof clip !== 'object') throw optionError(owner, 'clip', clip, allowed)
  checkFields(`${owner}: clip`, clip, ['rms', 'kl'])
  const [[kind, schedule] = [], ...others] = Object.entries(clip) as ['rms' | 'kl', Schedule][]
  if (kind === undefined || others.length > 0) throw optionError(owner, 'clip', clip, allowed)
  const bound = hyperparameter(owner, `clip.${kind}`, schedule!, { above: 0 })
  return (directions, gradients, step, lr) => {
    const present = directions.flatMap((x, index) => {
      const y = kind === 'rms' ? x : gradients[index]
      return x && y ? [{ x, y, index }] : []
    })
    const factors = directions.map(() => 1)
    if (present.length === 0) return factors
    const products = reduce(
      device,
      'dot',
      present.map(({ x, y }) => ({ x, y })),
    )
    const limit = bound(step)
    if (kind === 'rms') {
      present.forEach(({ x, index }, position) => {
        const rms = Math.sqrt(products[position]! / lengthOf(x))
        if (rms > limit) factors[index] = limit / rms
      })
      return factors
    }
    const divergence = products.reduce((sum, product) => sum + lr ** 2 * product, 0)
    return divergence > limit ? factors.map(() => Math.sqrt(limit / divergence)) : factors
  }
}

/** Gradients scaled together so that their norm over all parameters is at most a bound. */
export class GradientClip {
  readonly #device: Device
  readonly #bound: ((step: number) => number) | undefined
  readonly #clipped: (ParameterArray | undefined)[] = []

  constructor(device: Device, clipNorm: Schedule | undefined) {
    this.#device = device
    this.#bound = clipNorm === undefined ? undefined : hyperparameter('Optimizer', 'clipNorm', clipNorm, { above: 0 })
  }

  /** G <- G min(1, c / |G|), |G| over all gradients together; arrays of its own where they change. */
  apply(gradients: Gradients, step: number): Gradients {
    const present = gradients.filter((gradient) => gradient !== null)
    if (this.#bound === undefined || present.length === 0) return gradients
    const squares = reduce(
      this.#device,
      'dot',
      present.map((x) => ({ x })),
    )
    const norm = Math.sqrt(squares.reduce((sum, square) => sum + square, 0))
    const bound = this.#bound(step)
    if (norm <= bound) return gradients
    const moves = gradients.map((gradient, index) => {
      if (gradient === null) return null
      const direction = this.#clipped[index] ?? zeros(this.#device, lengthOf(gradient))
      this.#clipped[index] = direction
      return { gradient, direction, fromGradient: bound / norm }
    })
    updateAll(this.#device, 'combine', moves)
    return moves.map((move) => move?.direction ?? null)
  }

  /** What it holds, to be disposed. */
  get arrays(): readonly (ParameterArray | undefined)[] {
    return this.#clipped
  }
}
