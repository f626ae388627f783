import type { Device } from '../../device.js'
import { checkFields } from '../../errors.js'
import { reduce } from '../../linalg/reduce.js'
import { copyAll } from '../../precondition/arrays.js'
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

type Arrays = 'start' | 'average' | 'away' | 'direction' | 'evaluated'
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
  const first = (squaredNorm: number) => initial * (1 + Math.sqrt(squaredNorm))
  return parameterwise<Arrays, Numbers>({
    name,
    arrays: { start: 'whole', average: 'whole' },
    scratch: { away: 'whole', direction: 'whole', evaluated: 'whole' },
    // Steps of the parameter; the largest distance and the sum of the squares with their age, the group's where that is the
    // scope.
    numbers: { count: 0, distance: 0, squares: 0, age: 0 },
    flopsPerElement: 10,
    needsValues: true,
    step: (present, { device, group }) => {
      begin(device, present)
      const counted = scope === 'group' ? group : present
      const away = squaredDistances(device, counted)
      const norms = new Map(present.map((one, index) => [one.index, index]))
      const squares = reduce(
        device,
        'dot',
        present.map(({ gradient }) => ({ x: gradient })),
      )
      if (scope === 'group') {
        const isFirst = group.every(({ numbers }) => numbers.age === 0)
        const start = isFirst ? first(total(squaredNorms(device, group))) : 0
        changeShared(group, present, ['distance', 'squares'], (shared) => {
          shared.distance = Math.max(shared.distance, start, Math.sqrt(total(away)))
          shared.squares += total(squares)
        })
      } else {
        const starts = squaredNorms(device, present)
        present.forEach(({ index, numbers }) => {
          const position = norms.get(index)!
          const start = numbers.count === 0 ? first(starts[position]!) : 0
          numbers.distance = Math.max(numbers.distance, start, Math.sqrt(away[position]!))
          numbers.squares += squares[position]!
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
        present.map(({ gradient, arrays: { direction }, numbers }) => {
          numbers.count++
          const rate = numbers.distance / Math.sqrt(numbers.squares + epsilon)
          return { gradient, direction, fromGradient: rate }
        }),
      )
      return present.map(({ arrays }) => arrays.direction)
    },
    evaluation: ({ value, arrays: { average, evaluated }, numbers: { count } }, device) => {
      if (count === 0) return null
      const weight = share(count)
      const entry = { gradient: value!, m: average, fromGradient: weight, fromM: 1 - weight, direction: evaluated }
      updateAll(device, 'combine', [entry])
      return evaluated
    },
  })
}

/** Remembers where a parameter starts. */
function begin(device: Device, present: readonly Present<Arrays, Numbers>[]): void {
  const fresh = present.filter(({ numbers }) => numbers.count === 0)
  copyAll(
    device,
    fresh.map(({ value, arrays }) => ({ from: value!, to: arrays.start })),
  )
}

/** |w - w_0|^2 of those that have started, 0 of the others. */
function squaredDistances(device: Device, parameters: readonly Known[]): readonly number[] {
  const started = parameters.filter(({ numbers }) => numbers.count > 0)
  const entries = started.map(({ value, arrays: { start, away } }) => {
    return { gradient: value!, m: start, fromGradient: 1, fromM: -1, direction: away }
  })
  updateAll(device, 'combine', entries)
  const squares = reduce(
    device,
    'dot',
    started.map(({ arrays }) => ({ x: arrays.away })),
  )
  let next = 0
  return parameters.map(({ numbers }) => (numbers.count > 0 ? squares[next++]! : 0))
}

function squaredNorms(device: Device, parameters: readonly Known[]): Float64Array {
  return reduce(
    device,
    'dot',
    parameters.map(({ value }) => ({ x: value! })),
  )
}

function total(numbers: Iterable<number>): number {
  let sum = 0
  for (const value of numbers) sum += value
  return sum
}
