import type { Device } from '../../device.js'
import { checkFields } from '../../errors.js'
import { reduce } from '../../linalg/reduce.js'
import { copyAll, type ParameterArray } from '../../precondition/arrays.js'
import { numberIn } from '../../schedule/validate.js'
import { updateAll } from '../elementwise.js'
import { type Member, type ParameterwiseState, type Present, parameterwise } from '../parameterwise.js'
import type { Rule } from '../rule.js'
import { changeShared } from './shared.js'

/** Options of `dog` and of `ldog`. */
export interface DogOptions {
  /** First distance, relative to 1 + |w_0|, > 0. Default 1e-6. */
  readonly initial?: number
  /** Added to the sum of the squares, > 0. Default 1e-8. */
  readonly epsilon?: number
  /** Degree of the average that evaluation takes, >= 0. Default 8. */
  readonly averaging?: number
}

type Arrays = 'start' | 'average' | 'work'
type Numbers = 'count' | 'distance' | 'squares' | 'age'
type Known = Member<Arrays, Numbers>

/**
 * Steps as long as the largest distance from the start so far over the root of the sum of all squared gradients, of the whole
 * group or of each parameter for itself; and the polynomial average of the values:
 *
 *     A <- (1 - c) A + c w_t,   c = (1 + degree) / (t + degree)
 */
export function distanceOverGradients(
  name: string,
  scope: 'group' | 'parameter',
  options: DogOptions,
): Rule<ParameterwiseState> {
  checkFields(name, options, ['initial', 'epsilon', 'averaging'])
  const initial = numberIn(name, 'initial', options.initial ?? 1e-6, { above: 0 })
  const epsilon = numberIn(name, 'epsilon', options.epsilon ?? 1e-8, { above: 0 })
  const degree = numberIn(name, 'averaging', options.averaging ?? 8, { min: 0 })
  const share = (count: number) => (1 + degree) / (count + degree)
  return parameterwise<Arrays, Numbers>({
    name,
    arrays: { start: 'whole', average: 'whole' },
    // Distances, then directions, or what is evaluated.
    scratch: { work: 'whole' },
    // Steps of the parameter; the largest distance, and the sum of the squares, of what is counted together.
    numbers: { count: 0, distance: 0, squares: 0, age: 0 },
    flopsPerElement: 10,
    needsValues: true,
    step: (present, { device, group }) => {
      begin(device, present)
      const counted = scope === 'group' ? group : present
      const away = squaredDistances(device, counted)
      const fresh = counted.filter(({ numbers }) => numbers.age === 0)
      const norms = squares(device, fresh, ({ value }) => value!)
      const gradients = squares(device, present, ({ gradient }) => gradient)
      const teams = scope === 'group' ? [{ members: group, moving: present }] : present.map(asTeam)
      for (const { members, moving } of teams) {
        changeShared(members, moving, ['distance', 'squares'], (shared) => {
          if (shared.age === 0) shared.distance = initial * (1 + Math.sqrt(total(norms, members)))
          shared.distance = Math.max(shared.distance, Math.sqrt(total(away, members)))
          shared.squares += total(gradients, moving)
        })
      }
      updateAll(
        device,
        'momentum',
        present.map(({ value, arrays: { average }, numbers: { count } }) => {
          // The values before the step are those after the last one.
          const weight = count === 0 ? 0 : share(count)
          return { gradient: value!, m: average, mDecay: 1 - weight, mWeight: weight }
        }),
      )
      updateAll(
        device,
        'combine',
        present.map(({ gradient, arrays: { work }, numbers }) => {
          numbers.count++
          const rate = numbers.distance / Math.sqrt(numbers.squares + epsilon)
          return { gradient, direction: work, fromGradient: rate }
        }),
      )
      return present.map(({ arrays }) => arrays.work)
    },
    evaluation: ({ value, arrays: { average, work }, numbers: { count } }, device) => {
      if (count === 0) return null
      const weight = share(count)
      const entry = { gradient: value!, m: average, fromGradient: weight, fromM: 1 - weight, direction: work }
      updateAll(device, 'combine', [entry])
      return work
    },
  })
}

/** A parameter that counts for itself. */
function asTeam(one: Present<Arrays, Numbers>) {
  return { members: [one], moving: [one] }
}

/** Remembers where a parameter starts. */
function begin(device: Device, present: readonly Present<Arrays, Numbers>[]): void {
  const fresh = present.filter(({ numbers }) => numbers.count === 0)
  copyAll(
    device,
    fresh.map(({ value, arrays }) => ({ from: value!, to: arrays.start })),
  )
}

/** Numbers by the index of their parameter; 0 where there is none. */
type ByIndex = ReadonlyMap<number, number>

/** |w - w_0|^2 of those that have started. */
function squaredDistances(device: Device, parameters: readonly Known[]): ByIndex {
  const started = parameters.filter(({ numbers }) => numbers.count > 0)
  const entries = started.map(({ value, arrays: { start, work } }) => {
    return { gradient: value!, m: start, fromGradient: 1, fromM: -1, direction: work }
  })
  updateAll(device, 'combine', entries)
  return squares(device, started, ({ arrays }) => arrays.work)
}

/** Squared norms of arrays of parameters. */
function squares<One extends Known>(
  device: Device,
  parameters: readonly One[],
  arrayOf: (one: One) => ParameterArray,
): ByIndex {
  if (parameters.length === 0) return new Map()
  const arrays = parameters.map((one) => ({ x: arrayOf(one) }))
  const norms = reduce(device, 'dot', arrays)
  return new Map(parameters.map(({ index }, position) => [index, norms[position]!]))
}

function total(numbers: ByIndex, parameters: readonly Known[]): number {
  return parameters.reduce((sum, { index }) => sum + (numbers.get(index) ?? 0), 0)
}
