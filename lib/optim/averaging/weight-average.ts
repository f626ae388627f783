import type { Device } from '../../device.js'
import { KronrootError, shown } from '../../errors.js'
import { allOrNothing, disposeArrays, onHost, type ParameterArray, zeros } from '../../precondition/arrays.js'
import { elements } from '../../precondition/plan.js'
import { optionError } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import type { ParameterSpec } from '../rule.js'
import { arraySlot, loadSlots, type StateDict, saveSlots } from '../slots.js'

/** A saved {@link WeightAverage}: plain data. */
export interface WeightAverageState {
  readonly schema: 'kronroot.average'
  readonly version: 1
  readonly updates: number
  /** Arrays by `parameter/average`. */
  readonly state: StateDict
}

const SCHEMA = 'kronroot.average'
const VERSION = 1

/**
 * A running average of the weights of a run, beside the optimizer that moves them:
 *
 *     A <- A + w_t (W - A)     at the t-th update, t = 1, 2, ...
 *
 *     const average = new WeightAverage(device, optimizer.parameters, ema({ decay: 0.999 }))
 *     optimizer.step(gradients)
 *     average.update()
 *
 * with w from `ema`, `swa`, `tailAverage` or `polynomialAverage` of kronroot/schedule. An update is one native call over all
 * parameters, and costs 1 fp32 number an element; on a `cuda` device the average stays there. Networks with batch norms
 * have to recompute their statistics at the average.
 */
export class WeightAverage {
  readonly #device: Device
  readonly #parameters: readonly (ParameterSpec & { readonly value: ParameterArray })[]
  readonly #averages: readonly ParameterArray[]
  readonly #weight: (t: number) => number
  #updates = 0

  /** @param weight part of the new weights in the average, from 0 to 1, at the t-th update; 1 at the first. */
  constructor(
    device: Device,
    parameters: readonly (ParameterSpec & { readonly value: ParameterArray })[],
    weight: (t: number) => number,
  ) {
    if (typeof weight !== 'function') {
      throw optionError('WeightAverage', 'weight', weight, 'a function such as ema() or swa()')
    }
    this.#device = device
    this.#parameters = parameters
    this.#weight = weight
    this.#averages = allOrNothing(() => parameters.map(({ shape }) => zeros(device, elements(shape))))
  }

  /** Updates so far. */
  get updates(): number {
    return this.#updates
  }

  /** Takes the values that the parameters have now. */
  update(): void {
    const t = this.#updates + 1
    const weight = t === 1 ? 1 : this.#weight(t)
    if (!(weight >= 0 && weight <= 1)) {
      throw optionError('WeightAverage', `weight at update ${t}`, weight, 'a number from 0 to 1')
    }
    if (weight > 0) {
      const entries = this.#parameters.map(({ value }, index) => {
        const average = this.#averages[index]!
        return { gradient: value, m: average, direction: average, fromGradient: weight, fromM: 1 - weight }
      })
      updateAll(this.#device, 'combine', entries)
    }
    this.#updates = t
  }

  /** Copies of the averages, in the order of the parameters; before the first update of the values themselves. */
  values(): readonly Float32Array[] {
    const arrays = this.#updates === 0 ? this.#parameters.map(({ value }) => value) : this.#averages
    return arrays.map((array) => onHost(array).slice())
  }

  stateDict(): WeightAverageState {
    return { schema: SCHEMA, version: VERSION, updates: this.#updates, state: saveSlots(this.#slots()) }
  }

  /** Goes on from a saved state. @throws ERR_STATE where it does not fit, with nothing changed. */
  loadStateDict(saved: WeightAverageState): void {
    const isOne = saved?.schema === SCHEMA && saved.version === VERSION
    if (!isOne || !Number.isInteger(saved.updates) || saved.updates < 0) {
      const got = `${shown(saved?.schema)} version ${shown(saved?.version)}, updates ${shown(saved?.updates)}`
      throw new KronrootError(
        'ERR_STATE',
        `loadStateDict: the state must be of ${SCHEMA} version ${VERSION} with a count of updates, got ${got}`,
      )
    }
    loadSlots(this.#slots(), saved.state)
    this.#updates = saved.updates
  }

  /** Frees native memory. */
  dispose(): void {
    disposeArrays(this.#averages)
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  #slots() {
    return this.#parameters.map(({ name }, index) => arraySlot(`${name}/average`, this.#averages[index]!))
  }
}
