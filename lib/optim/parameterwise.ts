import type { Device } from '../device.js'
import { disposeArrays, lengthOf, type ParameterArray, zeros } from '../precondition/arrays.js'
import { elements } from '../precondition/plan.js'
import { elementwisePlan } from './describe.js'
import type { ParameterSpec, Rule, RuleContext } from './rule.js'
import { arraySlot, numberSlot, type Slot } from './slots.js'

/** Elements of an array that a rule keeps for a parameter: as many as the parameter has, or a function of its shape. */
export type ArraySize = 'whole' | ((shape: readonly number[]) => number)

/** A parameter that has a gradient in this step, with what its rule keeps for it. */
export interface Present<Arrays extends string = string, Numbers extends string = string> {
  /** Its index in the group. */
  readonly index: number
  readonly spec: ParameterSpec
  readonly gradient: ParameterArray
  /** Its values before the step, not to be changed; undefined where nobody handed them in. */
  readonly value: ParameterArray | undefined
  /** Kept and scratch arrays by name. */
  readonly arrays: Readonly<Record<Arrays, ParameterArray>>
  /** Kept numbers by name, to be changed in place. */
  readonly numbers: Record<Numbers, number>
}

/** A parameter of the group, whether it has a gradient in this step or not. */
export type Member<Arrays extends string = string, Numbers extends string = string> = Omit<
  Present<Arrays, Numbers>,
  'gradient'
>

/** What a rule is told besides the parameters that have a gradient. */
export interface ParameterwiseContext<Arrays extends string = string, Numbers extends string = string>
  extends RuleContext {
  readonly device: Device
  /** All parameters of the group, for rules that couple them. What is kept for those without a gradient stays as it is. */
  readonly group: readonly Member<Arrays, Numbers>[]
}

/** A rule that treats its parameters one by one, whatever their shape. */
export interface ParameterwiseRule<Arrays extends string, Numbers extends string> extends Keeping<Arrays, Numbers> {
  readonly name: string
  /** Floating-point operations an element and step. */
  readonly flopsPerElement: number
  /** Whether `value` is needed. */
  readonly needsValues?: boolean
  /**
   * One step of the parameters that have a gradient (at least one): a fixed number of native calls, each over all of them.
   * Returns their directions, in their order; these may be the gradients or any of the arrays.
   */
  step(
    present: readonly Present<Arrays, Numbers>[],
    context: ParameterwiseContext<Arrays, Numbers>,
  ): readonly ParameterArray[]
  /** Where evaluation takes other values than the parameters': those, or null for the parameter's own. */
  evaluation?(parameter: Member<Arrays, Numbers>, device: Device): ParameterArray | null
}

/** State of a parameterwise rule. */
export interface ParameterwiseState {
  readonly device: Device
  readonly parameters: readonly KeptParameter[]
}

/** What is kept for a parameter. */
export interface KeptParameter<Arrays extends string = string, Numbers extends string = string> {
  readonly spec: ParameterSpec
  /** Kept and scratch arrays by name. */
  readonly arrays: Readonly<Record<Arrays, ParameterArray>>
  /** Kept numbers by name, to be changed in place. */
  readonly numbers: Record<Numbers, number>
}

/** Arrays and numbers that are kept for each parameter. */
export interface Keeping<Arrays extends string = string, Numbers extends string = string> {
  /** fp32 arrays that are kept and saved, zero at first. */
  readonly arrays: Readonly<Partial<Record<Arrays, ArraySize>>>
  /** fp32 arrays that need not outlive a step, such as the direction. */
  readonly scratch?: Readonly<Partial<Record<Arrays, ArraySize>>>
  /** Numbers that are kept and saved, with their first values. */
  readonly numbers?: Readonly<Partial<Record<Numbers, number>>>
}

/** What is kept, at its first values. */
export function keep(
  { arrays, scratch, numbers }: Keeping,
  parameters: readonly ParameterSpec[],
  device: Device,
): readonly KeptParameter[] {
  const sizes = Object.entries({ ...arrays, ...scratch }) as [string, ArraySize][]
  return parameters.map((spec) => ({
    spec,
    arrays: Object.fromEntries(
      sizes.map(([array, size]) => [array, zeros(device, size === 'whole' ? elements(spec.shape) : size(spec.shape))]),
    ),
    numbers: { ...numbers } as Record<string, number>,
  }))
}

/** Slots of what is kept; `prefix` comes in front of each name. */
export function keptSlots({ arrays, numbers }: Keeping, kept: readonly KeptParameter[], prefix = ''): readonly Slot[] {
  return kept.flatMap((parameter) => [
    ...Object.keys(arrays).map((array) =>
      arraySlot(`${parameter.spec.name}/${prefix}${array}`, parameter.arrays[array]!),
    ),
    ...Object.keys(numbers ?? {}).map((number) =>
      numberSlot(`${parameter.spec.name}/${prefix}${number}`, parameter.numbers, number),
    ),
  ])
}

/** Bytes of the arrays that are kept, scratch included. */
export function keptBytes(kept: readonly KeptParameter[]): number {
  return kept.reduce((total, { arrays }) => total + bytesOf(Object.values(arrays)), 0)
}

export function disposeKept(kept: readonly KeptParameter[]): void {
  disposeArrays(kept.flatMap(({ arrays }) => Object.values(arrays)))
}

/**
 * The rule around a step: state, slots, plan. Every parameter counts for itself, so one without a gradient for some steps
 * goes on as if they had not been.
 */
export function parameterwise<Arrays extends string, Numbers extends string = never>(
  rule: ParameterwiseRule<Arrays, Numbers>,
): Rule<ParameterwiseState> {
  const { name, needsValues = false, evaluation } = rule
  const member = (parameter: KeptParameter, index: number, value: ParameterArray | undefined) =>
    ({ ...parameter, index, value }) as Member<Arrays, Numbers>
  return {
    name,
    ...(needsValues ? { needsValues } : {}),
    init: (parameters, device) => ({ device, parameters: keep(rule, parameters, device) }),
    update: (gradients, { device, parameters }, context) =>
      context.clock.time('apply', () => {
        const group = parameters.map((parameter, index) => member(parameter, index, context.parameters?.[index]))
        const present = group.flatMap((parameter) => {
          const gradient = gradients[parameter.index]
          return gradient ? [{ ...parameter, gradient }] : []
        })
        const directions: (ParameterArray | null)[] = gradients.map(() => null)
        if (present.length === 0) return directions
        const answers = rule.step(present, { ...context, device, group })
        present.forEach(({ index }, position) => {
          directions[index] = answers[position]!
        })
        return directions
      }),
    describe: ({ parameters }) =>
      elementwisePlan(
        name,
        parameters.map(({ spec }) => spec),
        {
          bytes: keptBytes(parameters),
          flopsPerElement: rule.flopsPerElement,
        },
      ),
    slots: ({ parameters }) => keptSlots(rule, parameters),
    report: () => [],
    ...(evaluation === undefined
      ? {}
      : {
          evaluation: ({ device, parameters }, values) =>
            parameters.map((parameter, index) => evaluation(member(parameter, index, values[index]), device)),
        }),
    dispose: ({ parameters }) => disposeKept(parameters),
  }
}

function bytesOf(arrays: readonly ParameterArray[]): number {
  return arrays.reduce((total, array) => total + 4 * lengthOf(array), 0)
}
