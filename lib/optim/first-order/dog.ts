import type { ParameterwiseState } from '../parameterwise.js'
import type { Rule } from '../rule.js'
import { type DogOptions, distanceOverGradients } from './distance-over-gradients.js'

/**
 * DoG, distance over gradients: SGD without a learning rate to tune,
 *
 *     r = max(initial (1 + |w_0|), max over the steps so far of |w_t - w_0|)     D = r / sqrt(sum of all |g|^2 + epsilon) g
 *
 * with the norms of all parameters of the group together, which are coupled by them. The learning rate of the group multiplies
 * D and is 1. What is to be evaluated is not w but its polynomial average, which `evaluation` gives:
 *
 *     A <- (1 - c) A + c w_t     c = (1 + averaging) / (t + averaging)
 *
 * State: 2 fp32 numbers an element. Needs the values of the parameters.
 *
 * Source: Ivgi, Hinder and Carmon, arXiv 2302.12022; the average: Shamir and Zhang, ICML 2013.
 */
export function dog(options: DogOptions = {}): Rule<ParameterwiseState> {
  return distanceOverGradients('dog', 'group', options)
}
