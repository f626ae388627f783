import { checkFields } from '../../errors.js'
import { reduce } from '../../linalg/reduce.js'
import { oneOf } from '../../schedule/validate.js'
import type { Rule } from '../rule.js'
import { type AverageOptions, gradientAverage } from './gradient-average.js'
import type { MatrixOptions } from './matrix-blocks.js'
import { ORTHOGONAL_FIELDS, type OrthogonalState, orthogonalRule, scaleMatrices } from './orthogonal-rule.js'

/** Options of {@link spectralDescent}. Defaults: momentum 0, without Nesterov. */
export interface SpectralDescentOptions extends AverageOptions, MatrixOptions {
  /**
   * `dual-norm` (default): the step of steepest descent, whose length is the nuclear norm of the gradient; `unit`: of spectral
   * norm 1 whatever the gradient.
   */
  readonly length?: 'dual-norm' | 'unit'
  /** Consecutive failures of one matrix without an error. Default 3. */
  readonly toleratedFailures?: number
}

/**
 * Steepest descent under the spectral norm: the W' that minimises <G, W' - W> + 1 / (2 lr) |W' - W|^2 is W - lr D with
 *
 *     D = |G|_* U V^T,   G = U S V^T,   |G|_* = trace S = <G, U V^T>
 *
 * exact to rounding; with `length: 'unit'` it is D = U V^T. G may be an average (`momentum`, `nesterov`); flattening, `splits`
 * and `heads` are those of Muon, each block with its own norm. State: 1 fp32 number an element.
 *
 * Source: Carlson, Cevher and Carin, Stochastic spectral descent, AISTATS 2015; Bernstein and Newhouse, arXiv 2409.20325.
 */
export function spectralDescent(options: SpectralDescentOptions = {}): Rule<OrthogonalState> {
  const iteration = ['method', 'table', 'steps', 'precision']
  checkFields('spectralDescent', options, [
    ...ORTHOGONAL_FIELDS.filter((field) => !iteration.includes(field)),
    'length',
  ])
  const length = oneOf('spectralDescent', 'length', options.length ?? 'dual-norm', ['dual-norm', 'unit'])
  return orthogonalRule(
    {
      name: 'spectralDescent',
      average: gradientAverage('spectralDescent', options, { momentum: 0, nesterov: false }),
      finish: (answered, _, __, device) => {
        if (length === 'unit') return
        const norms = reduce(
          device,
          'dot',
          answered.map(({ input, output }) => ({ x: input, y: output })),
        )
        scaleMatrices(device, answered, norms)
      },
      flopsPerElement: 3,
    },
    { ...options, method: 'polar' },
  )
}
