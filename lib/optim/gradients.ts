import { KronrootError, shown } from '../errors.js'
import { lengthOf, type ParameterArray } from '../precondition/arrays.js'
import { Tensor } from '../tensor.js'
import type { Gradients } from './rule.js'

/** A gradient as `Optimizer.step` takes it, a tensor of its device, too; null or undefined leaves the parameter alone. */
export type Gradient = ParameterArray | null | undefined

/** Gradients in the order of all parameters, or by name. */
export type GradientInput = readonly Gradient[] | ReadonlyMap<string, Gradient> | Readonly<Record<string, Gradient>>

/** A parameter as far as its gradient must fit it. */
export interface GradientTarget {
  readonly name: string
  readonly value: ParameterArray
}

/**
 * Gradients in the order of the parameters. A list must have one entry a parameter; a map or record must have an entry
 * for every name, and no other. Nothing is changed; everything that is wrong is named at once in one ERR_SHAPE.
 */
export function orderGradients(targets: readonly GradientTarget[], input: GradientInput): Gradients {
  const problems: string[] = []
  const found = Array.isArray(input) ? fromList(targets, input, problems) : fromNames(targets, input, problems)
  found.forEach((gradient, index) => {
    const problem = gradient ? misfit(targets[index]!, gradient) : undefined
    if (problem !== undefined) problems.push(problem)
  })
  if (problems.length > 0) throw new KronrootError('ERR_SHAPE', `step: ${problems.join('; ')}`)
  return found
}

function fromList(targets: readonly GradientTarget[], list: readonly Gradient[], problems: string[]): Gradients {
  if (list.length !== targets.length) {
    problems.push(`got ${list.length} gradients for ${targets.length} parameters (null stands for no gradient)`)
    return []
  }
  return list.map((gradient) => gradient ?? null)
}

function fromNames(targets: readonly GradientTarget[], input: GradientInput, problems: string[]): Gradients {
  if (input === null || typeof input !== 'object') {
    problems.push(`gradients must be a list, a Map or a record by name, got ${shown(input)}`)
    return []
  }
  const byName = input instanceof Map ? (input as Map<string, Gradient>) : new Map(Object.entries(input))
  const names = new Set(targets.map(({ name }) => name))
  const missing = targets.filter(({ name }) => !byName.has(name)).map(({ name }) => name)
  const unknown = [...byName.keys()].filter((name) => !names.has(name))
  if (missing.length > 0) problems.push(`no gradient for ${missing.join(', ')} (null stands for no gradient)`)
  if (unknown.length > 0) problems.push(`unknown parameters ${unknown.join(', ')}`)
  return problems.length > 0 ? [] : targets.map(({ name }) => byName.get(name) ?? null)
}

function misfit({ name, value }: GradientTarget, gradient: unknown): string | undefined {
  if (!(gradient instanceof Float32Array || (Tensor.isTensor(gradient) && gradient.dtype === 'f32'))) {
    return `gradient of ${name} must be a Float32Array, an f32 tensor or null, got ${shown(gradient)}`
  }
  if (lengthOf(gradient) === lengthOf(value)) return undefined
  return `gradient of ${name} has ${lengthOf(gradient)} elements, its parameter ${lengthOf(value)}`
}
