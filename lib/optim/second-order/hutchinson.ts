import { onHost } from '../../precondition/arrays.js'
import { updateAll } from '../elementwise.js'
import { answered, type HessianVector } from '../oracle.js'
import type { Gradients, RuleContext } from '../rule.js'
import type { GroupSpace, GroupVector } from './group-space.js'
import { fillSigns } from './probes.js'

/**
 * Hutchinson's estimate of the diagonal of the Hessian, z o (H z) with z of random signs: its expectation is the diagonal, and of
 * a diagonal Hessian it is exact. z depends on the seed, the step and the names of the parameters, so that nothing of it is saved.
 *
 * Source: Bekas, Kokiopoulou and Saad, Appl. Numer. Math. 57 (2007).
 */
export class Hutchinson {
  readonly #space: GroupSpace
  readonly #seed: number
  readonly #probes: readonly Float32Array[]

  constructor(space: GroupSpace, seed: number) {
    const whole = new Float32Array(space.size)
    this.#space = space
    this.#seed = seed
    this.#probes = space.starts.map((start, index) => whole.subarray(start, space.starts[index + 1] ?? space.size))
  }

  /** Bytes of the probe. */
  get bytes(): number {
    return 4 * this.#space.size
  }

  /** Writes the estimate into the parts of the parameters that have a gradient; z is 0 for the others. */
  sample(
    owner: string,
    hessianVector: HessianVector,
    gradients: Gradients,
    context: RuleContext,
    into: Pick<GroupVector, 'parts'>,
  ): void {
    const { device, parameters } = this.#space
    const values = this.#space.valuesOf(owner, context).map(onHost)
    this.#probes.forEach((probe, index) => {
      if (gradients[index]) fillSigns(probe, this.#seed, context.step, parameters[index]!.name)
      else probe.fill(0)
    })
    const answer = answered(owner, 'hessianVector', hessianVector(this.#probes, values), this.#probes)
    const entries = answer.map((gradient, index) =>
      gradients[index] ? { gradient, m: this.#probes[index]!, fromGradient: 1, direction: into.parts[index]! } : null,
    )
    updateAll(device, 'product', entries)
  }
}
