import type { Device } from '../../device.js'
import type { UpdateArray } from '../../linalg/elementwise-update.js'
import type { ParameterArray } from '../../precondition/arrays.js'
import { optionError } from '../../schedule/validate.js'
import { countElements } from '../describe.js'
import { updateAll } from '../elementwise.js'
import { disposeKept, type Keeping, type KeptParameter, keep, keptBytes, keptSlots } from '../parameterwise.js'
import type { Gradients, Rule, RuleContext } from '../rule.js'
import { renamedSlot } from '../slots.js'

/** State of a wrapper: its own, and that of the rule inside. */
export interface WrapperState {
  readonly device: Device
  readonly parameters: readonly KeptParameter[]
  readonly inner: unknown
}

/** One step of a wrapper. */
export interface WrapperStep<Arrays extends string, Numbers extends string> {
  /** Null where a parameter has no gradient; then also nothing of it may be changed. */
  readonly gradients: Gradients
  /** What the wrapper keeps, in the order of the group. */
  readonly parameters: readonly KeptParameter<Arrays, Numbers>[]
  readonly context: RuleContext
  readonly device: Device
  /** Directions of the rule inside, null also where it moves a parameter by nothing in this step. */
  inner(gradients: Gradients, context?: RuleContext): Gradients
  /** One native call of kind `combine` over the entries that are not null. */
  combine(entries: readonly (UpdateArray | null)[]): void
}

/** A transformation of what goes into a rule and of what comes out of it. */
export interface WrapperDefinition<Arrays extends string, Numbers extends string> extends Keeping<Arrays, Numbers> {
  readonly name: string
  readonly rule: Rule
  /** Floating-point operations an element and step besides those of the rule inside. */
  readonly flopsPerElement: number
  /** Whether the values of the parameters are needed. */
  readonly needsValues?: boolean
  /** Directions, null for null. */
  update(step: WrapperStep<Arrays, Numbers>): Gradients
  /** Where other values than the parameters' are to be evaluated: those, or null. */
  evaluation?(
    parameters: readonly KeptParameter<Arrays, Numbers>[],
    values: readonly ParameterArray[],
    device: Device,
  ): readonly (ParameterArray | null)[]
}

/**
 * The rule that a wrapper makes of a rule. Its name is `wrapper(rule)`. Own state is saved under `parameter/wrapper.field`,
 * that of the rule inside under `parameter/inner.` and its own field, so that no two wrappers meet under one key however
 * they are nested. Evaluation starts from what the wrapper says and goes on with what the rule inside makes of it.
 */
export function wrapper<Arrays extends string, Numbers extends string = never>(
  definition: WrapperDefinition<Arrays, Numbers>,
): Rule<WrapperState> {
  const { rule } = definition
  const own = (state: WrapperState) => state.parameters as unknown as readonly KeptParameter<Arrays, Numbers>[]
  const name = `${definition.name}(${rule.name})`
  const hasEvaluation = definition.evaluation !== undefined || rule.evaluation !== undefined
  return {
    name,
    ...(definition.needsValues === true || rule.needsValues === true ? { needsValues: true } : {}),
    init: (parameters, device) => ({
      device,
      parameters: keep(definition, parameters, device),
      inner: rule.init(parameters, device),
    }),
    update: (gradients, state, context) =>
      definition.update({
        gradients,
        parameters: own(state),
        context,
        device: state.device,
        inner: (given, other = context) => rule.update(given, state.inner, other),
        combine: (entries) => context.clock.time('apply', () => updateAll(state.device, 'combine', entries)),
      }),
    describe: (state) => {
      const plan = rule.describe(state.inner)
      const total = countElements(state.parameters.map(({ spec }) => spec))
      return {
        ...plan,
        rule: name,
        bytes: plan.bytes + keptBytes(state.parameters),
        flopsPerStep: plan.flopsPerStep + definition.flopsPerElement * total,
      }
    },
    slots: (state) => [
      ...keptSlots(definition, state.parameters, `${definition.name}.`),
      ...rule.slots(state.inner).map((slot) => renamedSlot(slot, innerKey)),
    ],
    report: (state) => rule.report(state.inner),
    ...(hasEvaluation
      ? {
          evaluation: (state: WrapperState, values: readonly ParameterArray[]) => {
            const outer = definition.evaluation?.(own(state), values, state.device) ?? values.map(() => null)
            const inner = rule.evaluation?.(
              state.inner,
              values.map((value, index) => outer[index] ?? value),
            )
            return outer.map((array, index) => inner?.[index] ?? array)
          },
        }
      : {}),
    ...(rule.settled === undefined ? {} : { settled: (state) => rule.settled!(state.inner) }),
    dispose: (state) => {
      disposeKept(state.parameters)
      rule.dispose(state.inner)
    },
  }
}

/** `p0/momentum` to `p0/inner.momentum`; the name of a parameter may have slashes of its own. */
function innerKey(key: string): string {
  const end = key.lastIndexOf('/') + 1
  return `${key.slice(0, end)}inner.${key.slice(end)}`
}

/** The rule that a wrapper is put around, checked. */
export function checkedRule(owner: string, rule: unknown): Rule {
  if (typeof (rule as Rule | null)?.update === 'function') return rule as Rule
  throw optionError(owner, 'rule', rule, 'a rule such as adamw(), muon() or shampoo()')
}
