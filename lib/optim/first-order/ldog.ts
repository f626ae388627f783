import type { ParameterwiseState } from '../parameterwise.js'
import type { Rule } from '../rule.js'
import { type DogOptions, distanceOverGradients } from './distance-over-gradients.js'

/**
 * L-DoG: `dog` with the distance, the sum of the squares and w_0 of each parameter for itself. State: 2 fp32 numbers an
 * element. Needs the values of the parameters, and `evaluation` gives their averages.
 *
 * Source: Ivgi, Hinder and Carmon, arXiv 2302.12022.
 */
export function ldog(options: DogOptions = {}): Rule<ParameterwiseState> {
  return distanceOverGradients('ldog', 'parameter', options)
}
