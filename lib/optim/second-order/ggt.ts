import type { Device } from '../../device.js'
import { checkFields } from '../../errors.js'
import { eigh } from '../../linalg/eigh.js'
import { matmul } from '../../linalg/matmul.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn } from '../../schedule/validate.js'
import type { Tensor } from '../../tensor.js'
import { type FilterState, gradientFilter } from '../filter.js'
import type { Rule } from '../rule.js'
import { groupPlan } from './group-plan.js'
import { GroupSpace, type GroupVector } from './group-space.js'

/** Options of {@link ggt}. */
export interface GgtOptions {
  /** Gradients r of the window, >= 1. Default 10. */
  readonly window?: number
  /** Decay of the average v, 0 <= beta1 < 1. Default 0.9; 0 stores none. */
  readonly beta1?: Schedule
  /** Decay of a gradient with its age in the window, 0 < beta2 <= 1. Default 1. */
  readonly beta2?: Schedule
  /** epsilon > 0: what lies outside the window goes with 1 / epsilon. Default 1e-4. */
  readonly epsilon?: Schedule
}

/** State of {@link ggt}. */
export interface GgtState {
  readonly space: GroupSpace
  readonly filter: FilterState
  /** [r, n]: gradients in a ring. */
  readonly window: { readonly matrix: Tensor; readonly vectors: readonly GroupVector[] }
  /** Their dot products, [r, r]. */
  readonly dots: Float64Array
  /** [gradients in the window, where the next one goes] */
  readonly ring: Float64Array
  /** [1, n] */
  readonly average: { readonly matrix: Tensor; readonly vector: GroupVector }
  /** [2, n]: the parts of the direction inside and outside of the span. */
  readonly pair: { readonly matrix: Tensor; readonly vectors: readonly GroupVector[] }
  readonly direction: GroupVector
}

/**
 * GGT, full-matrix adaptive steps from a window of gradients: with the columns of G the last r gradients of the whole group,
 * each times beta2 to the power of its age, and v the average of the gradient,
 *
 *     G^T G = V Sigma^2 V^T,   U = G V Sigma^{-1}
 *     D = U (Sigma + epsilon)^{-1} U^T v + (v - U U^T v) / epsilon = ((G G^T)^{1/2} + epsilon)^{-1} v
 *
 * computed as G c and v - G c' with r coefficients each: neither U nor an n x n matrix is formed. Singular values below 1e-6 of
 * the largest count as 0, and so does what v has outside of the span below 1e-6 of its norm. The dot products of the window are kept in f64: a step adds one row of them.
 *
 * Couples all parameters of a group. A step in which one of them has no gradient leaves the window alone and takes the
 * principal submatrix of the others. State: r (and with beta1 one more) numbers an element. A step: r + 2 dot products, two
 * matmul with r x n, one `eigh` of order r.
 *
 * Source: Agarwal et al., Efficient full-matrix adaptive regularization, arXiv 1806.02958, algorithm 1.
 */
export function ggt(options: GgtOptions = {}): Rule<GgtState> {
  const owner = 'ggt'
  checkFields(owner, options, ['window', 'beta1', 'beta2', 'epsilon'])
  const size = numberIn(owner, 'window', options.window ?? 10, { min: 1, integer: true })
  const beta1 = options.beta1 ?? 0.9
  const filter = gradientFilter(owner, beta1, beta1, true)
  const beta2 = hyperparameter(owner, 'beta2', options.beta2 ?? 1, { above: 0, max: 1 })
  const epsilon = hyperparameter(owner, 'epsilon', options.epsilon ?? 1e-4, { above: 0 })
  return {
    name: owner,
    init: (parameters, device) => {
      const space = new GroupSpace(parameters, device)
      const { matrix, vectors } = space.rows(1)
      return {
        space,
        filter: filter.init(parameters, device),
        window: space.rows(size),
        dots: new Float64Array(size * size),
        ring: new Float64Array(2),
        average: { matrix, vector: vectors[0]! },
        pair: space.rows(2),
        direction: space.vector(),
      }
    },
    update: (gradients, state, { step, clock }) => {
      const { space, window, average, pair, direction } = state
      clock.time('statistics', () => {
        if (gradients.every((gradient) => gradient !== null)) {
          remember(state, gradients)
        }
        space.gather(filter.update(gradients, state.filter, step), average.vector)
      })
      clock.time('apply', () => {
        using products = matmul(average.matrix, window.matrix, { transposeB: true })
        const weights = coefficients(state, products.data(), beta2(step), epsilon(step))
        using rows = space.device.tensor(weights, [2, size])
        matmul(rows, window.matrix, { out: pair.matrix })
        const [inside, outside] = pair.vectors as [GroupVector, GroupVector]
        space.combine(1, average.vector, -1, outside, outside)
        const [whole, rest] = space.dots([
          [average.vector, average.vector],
          [outside, outside],
        ]) as [number, number]
        // What is left of an average inside the span is rounding, which 1 / epsilon must not blow up.
        const weight = rest <= NEGLIGIBLE ** 2 * whole ? 0 : 1 / epsilon(step)
        space.combine(1, inside, weight, outside, direction)
      })
      return space.directions(direction, gradients)
    },
    describe: ({ space, filter: { parameters } }) =>
      groupPlan(owner, space, {
        flopsPerStep: (6 * size + 8) * space.size + 10 * size ** 3,
        bytes: parameters.length === 0 ? 0 : 8 * space.size,
        matrix: { shape: [size, space.size], kernels: ['matmul x 2', 'eigh'], calls: 3 },
      }),
    slots: ({ space, filter: average, window, dots, ring }) => [
      ...filter.slots(average),
      ...window.vectors.flatMap((vector, index) => space.slots(`window${index}`, vector)),
      ...space.shared('dots', dots),
      ...space.shared('ring', ring),
    ],
    report: () => [],
    dispose: ({ space, filter: average }) => {
      space.dispose()
      filter.dispose(average)
    },
  }
}

/** Puts the gradient into the window, in place of the oldest one. */
function remember({ space, window, dots, ring }: GgtState, gradients: Parameters<Rule['update']>[0]): void {
  const size = window.vectors.length
  const [count, place] = ring as unknown as [number, number]
  const newest = window.vectors[place]!
  space.gather(gradients, newest)
  const row = space.dots(window.vectors.map((vector) => [newest, vector]))
  row.forEach((value, index) => {
    dots[place * size + index] = value
    dots[index * size + place] = value
  })
  ring.set([Math.min(count + 1, size), (place + 1) % size])
}

const NEGLIGIBLE = 1e-6

/**
 * Coefficients [2, r] of U (Sigma + epsilon)^{-1} U^T v and of U U^T v in the gradients of the window: with w = B G^T v, B the
 * decays, they are B V diag(1 / (sigma^2 (sigma + epsilon))) V^T w and B V diag(1 / sigma^2) V^T w.
 */
function coefficients(
  { space, dots, ring }: GgtState,
  products: ArrayLike<number>,
  beta2: number,
  epsilon: number,
): Float32Array {
  const size = products.length
  const decays = Array.from(products, (_, index) => beta2 ** ((ring[1]! - 1 - index + 2 * size) % size))
  const { values, vectors } = spectrum(
    space.device,
    dots.map((value, index) => value * decays[Math.floor(index / size)]! * decays[index % size]!),
  )
  const sigmas = Array.from(values, (value) => Math.sqrt(Math.max(0, value)))
  const along = sigmas.map((_, mode) =>
    decays.reduce((sum, decay, i) => sum + vectors[i * size + mode]! * decay * products[i]!, 0),
  )
  const floor = NEGLIGIBLE * sigmas[size - 1]!
  const combined = (weight: (sigma: number) => number) =>
    decays.map((decay, i) =>
      sigmas.reduce(
        (sum, sigma, mode) =>
          sigma > floor ? sum + decay * vectors[i * size + mode]! * weight(sigma) * along[mode]! : sum,
        0,
      ),
    )
  return Float32Array.from([
    ...combined((sigma) => 1 / (sigma ** 2 * (sigma + epsilon))),
    ...combined((sigma) => 1 / sigma ** 2),
  ])
}

/** Eigenvalues, ascending, and eigenvectors of a small symmetric matrix. */
function spectrum(device: Device, matrix: Float64Array): { values: ArrayLike<number>; vectors: ArrayLike<number> } {
  const n = Math.sqrt(matrix.length)
  using tensor = device.tensor(matrix, [n, n])
  const answer = eigh(tensor, { onFailure: 'throw' })
  using values = answer.values
  using vectors = answer.vectors!
  return { values: values.data(), vectors: vectors.data() }
}
