import type { Device } from '../device.js'
import { allOrNothing, disposeArrays, lengthOf, type ParameterArray, zeros } from '../precondition/arrays.js'
import type { Schedule } from '../schedule/schedule.js'
import { hyperparameter, optionError } from '../schedule/validate.js'
import { type ClipFactors, type UpdateClip, updateClip } from './clip.js'
import type { PhaseClock } from './clock.js'
import { type WeightDecay, type WeightDecayOptions, weightDecayOf } from './decay.js'
import { updateAll } from './elementwise.js'
import type { Gradients, ParameterSpec, Rule, RulePlan, SolveReport } from './rule.js'
import { renamedSlot, type Slot } from './slots.js'

/** What the parameters of a group share. */
export interface GroupOptions extends WeightDecayOptions {
  readonly rule: Rule
  /** Learning rate, >= 0; a number or a function of the step. */
  readonly lr: Schedule
  /** Shortens directions that are too long: `{ rms }` or `{ kl }`. Default: none. */
  readonly clip?: UpdateClip
}

/** One step of a group, ready to be applied: W <- W - lr s D - shrinkage W for every D that is not null and its scale s. */
export interface GroupStep {
  readonly directions: Gradients
  /** At most 1, by parameter. */
  readonly scales: readonly number[]
  readonly lr: number
  readonly shrinkage: number
}

/** A rule with its state for a list of parameters, its learning rate and its weight decay. */
export class ParameterGroup {
  readonly parameters: readonly ParameterSpec[]
  readonly rule: Rule
  readonly #device: Device
  readonly #state: unknown
  readonly #lr: (step: number) => number
  readonly #decay: WeightDecay
  readonly #clip: ClipFactors
  /** Gradients with the L2 term; made when that mode first asks for them. */
  readonly #regularized: (ParameterArray | undefined)[] = []

  /** @param owner what error messages call the group. */
  constructor(owner: string, device: Device, parameters: readonly ParameterSpec[], options: GroupOptions) {
    const { rule, lr } = options
    if (typeof rule?.update !== 'function') {
      throw optionError(owner, 'rule', rule, 'a rule such as adamw(), muon() or shampoo()')
    }
    this.parameters = parameters
    this.rule = rule
    this.#lr = hyperparameter(owner, 'lr', lr, { min: 0 })
    this.#decay = weightDecayOf(owner, options, lr)
    this.#clip = updateClip(owner, device, options.clip)
    this.#device = device
    this.#state = allOrNothing(() => rule.init(parameters, device))
  }

  /** Whether the values of the parameters are needed, for the weight decay or by the rule. */
  get needsValues(): boolean {
    return this.#decay.isUsed || this.rule.needsValues === true
  }

  /** Advances the state of the rule by one step. The values are read only. */
  advance(
    gradients: Gradients,
    values: readonly ParameterArray[] | undefined,
    step: number,
    clock: PhaseClock,
    examples?: readonly Gradients[],
  ): GroupStep {
    const lr = this.#lr(step)
    const l2 = this.#decay.gradient(step)
    const regularized = values === undefined ? gradients : this.#addL2(gradients, values, l2)
    const shrinkage = this.#decay.shrinkage(step, lr)
    const context = {
      step,
      lr,
      shrinkage,
      l2,
      clock,
      ...(values === undefined ? {} : { parameters: values }),
      ...(examples === undefined ? {} : { examples }),
    }
    const directions = this.rule.update(regularized, this.#state, context)
    const scales = clock.time('apply', () => this.#clip(directions, regularized, step, lr))
    return { directions, scales, lr, shrinkage }
  }

  /** What is to be evaluated in place of the values; null for the values themselves. */
  evaluation(values: readonly ParameterArray[]): readonly (ParameterArray | null)[] {
    return this.rule.evaluation?.(this.#state, values) ?? values.map(() => null)
  }

  describe(): RulePlan {
    return this.rule.describe(this.#state)
  }

  report(): readonly SolveReport[] {
    return this.rule.report(this.#state)
  }

  /** Slots of the state, the name of the rule in front of each key. */
  slots(): readonly Slot[] {
    return this.rule.slots(this.#state).map((slot) => renamedSlot(slot, (key) => `${this.rule.name}:${key}`))
  }

  async settled(): Promise<void> {
    await this.rule.settled?.(this.#state)
  }

  dispose(): void {
    this.rule.dispose(this.#state)
    disposeArrays(this.#regularized)
  }

  #addL2(gradients: Gradients, values: readonly ParameterArray[], rate: number): Gradients {
    if (rate === 0) return gradients
    const entries = gradients.map((gradient, index) => {
      if (gradient === null) return null
      const direction = this.#regularized[index] ?? zeros(this.#device, lengthOf(gradient))
      this.#regularized[index] = direction
      return { gradient, m: values[index], direction, fromGradient: 1, fromM: rate }
    })
    updateAll(this.#device, 'combine', entries)
    return entries.map((entry) => entry?.direction ?? null)
  }
}
