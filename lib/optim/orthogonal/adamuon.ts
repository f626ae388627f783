import { checkFields } from '../../errors.js'
import { reduce } from '../../linalg/reduce.js'
import type { Schedule } from '../../schedule/schedule.js'
import { hyperparameter, numberIn } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import type { Rule } from '../rule.js'
import { gradientAverage } from './gradient-average.js'
import {
  ORTHOGONAL_FIELDS,
  type OrthogonalOptions,
  type OrthogonalState,
  orthogonalRule,
  scaleMatrices,
} from './orthogonal-rule.js'

/** Options of {@link adamuon}. Defaults: momentum 0.95, with Nesterov. */
export interface AdaMuonOptions extends OrthogonalOptions {
  /** Decay of the second moment, 0 <= beta2 < 1. Default 0.95. */
  readonly beta2?: Schedule
  /** Added to the root of the second moment, > 0. Default 1e-8. */
  readonly epsilon?: number
  /** Root mean square of the update, > 0. Default 0.2, as large as AdamW's; its learning rates carry over. */
  readonly rms?: Schedule
}

/**
 * AdaMuon: Muon of the signs of the average, with an element-wise second moment of what comes out,
 *
 *     M <- mu M + (1 - mu) G,   B = (1 - mu) G + mu M with Nesterov, else M
 *     O = U V^T of sign(B)
 *     v <- beta2 v + (1 - beta2) O^2
 *     P = O / (sqrt(v) + epsilon)
 *     D = rms sqrt(out in) P / |P|_F
 *
 * The signs keep large entries of the average from dominating O; flattening, `splits` and `heads` are those of Muon.
 * State: 2 fp32 numbers an element.
 *
 * Source: Si, Zhang and Shen, AdaMuon, arXiv 2507.11005, algorithm 1.
 */
export function adamuon(options: AdaMuonOptions = {}): Rule<OrthogonalState> {
  checkFields('adamuon', options, [...ORTHOGONAL_FIELDS, 'beta2', 'epsilon', 'rms'])
  const beta2 = hyperparameter('adamuon', 'beta2', options.beta2 ?? 0.95, { min: 0, below: 1 })
  const epsilon = numberIn('adamuon', 'epsilon', options.epsilon ?? 1e-8, { above: 0 })
  const rms = hyperparameter('adamuon', 'rms', options.rms ?? 0.2, { above: 0 })
  return orthogonalRule(
    {
      name: 'adamuon',
      average: gradientAverage('adamuon', options, { momentum: 0.95, nesterov: true }, true),
      keeps: { name: 'secondMoment', length: (outputs, inputs) => outputs * inputs },
      finish: (answered, _, step, device) => {
        const beta = beta2(step)
        const weights = { vDecay: beta, vWeight: 1 - beta, vScale: 1, epsilon, fromGradient: 1 }
        updateAll(
          device,
          'adam',
          answered.map(({ output, kept }) => ({ gradient: output, v: kept, direction: output, ...weights })),
        )
        const squares = reduce(
          device,
          'dot',
          answered.map(({ output }) => ({ x: output })),
        )
        const size = rms(step)
        const factors = answered.map(({ output }, index) =>
          squares[index]! > 0 ? size * Math.sqrt(output.size / squares[index]!) : 0,
        )
        scaleMatrices(device, answered, factors)
      },
      flopsPerElement: 10,
    },
    options,
  )
}
