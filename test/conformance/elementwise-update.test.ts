// elementwise_update: "G, m, v, w and D in COMBINE, MOMENTUM and PRODUCT 2 ulp of the sum of the magnitudes of the terms, D in
// ADAM, MAX and QUOTIENT 8 ulp of the magnitudes of the numerator's terms over the denominator, in GATE 8 ulp of |v| and, of
// the error of G, |v| / 4" (native/include/kronroot/ops.h).
import { describe, expect, it } from 'vitest'
import { type Device, elementwiseUpdate, open, type UpdateArray, type UpdateKind } from '../../lib/index.js'
import { type DType, precision, Random, typed } from '../matrices/zoo.js'
import { expectRefused } from '../refusal.js'
import { devicesByRank, type TestDevice } from './devices.js'
import { expectSameBits } from './oracle.js'

const { main, others } = devicesByRank()
const reference: TestDevice = { label: 'reference', open: () => open('reference') }
const dtypes: readonly DType[] = ['f32', 'f64']
const kinds: readonly UpdateKind[] = ['combine', 'momentum', 'sign', 'adam', 'max', 'quotient', 'product', 'gate']

type Data = Float32Array | Float64Array
type Stored = 'm' | 'v' | 'vMax' | 'direction' | 'w'
const stored: readonly Stored[] = ['m', 'v', 'vMax', 'direction', 'w']

const numbers = {
  l2: 0.03,
  mDecay: 0.9,
  mWeight: 0.1,
  vDecay: 0.999,
  vWeight: 0.001,
  fromGradient: 0.4,
  fromM: -0.7,
  vScale: 1.7,
  epsilonInside: 1e-6,
  epsilon: 1e-3,
  lr: 0.05,
  shrinkage: 0.01,
  lower: -0.4,
  upper: 0.7,
}
const needsM: readonly UpdateKind[] = ['momentum', 'product', 'gate']
const hasV: readonly UpdateKind[] = ['adam', 'max', 'quotient', 'gate']

/** One entry with random contents; `withAll` adds the optional arrays. */
function entry(kind: UpdateKind, dtype: DType, count: number, random: Random, withAll: boolean): Named {
  const fresh = () => typed(dtype, random.normals(count))
  const squares = () => fresh().map((x: number) => x * x) as Data
  const isAdam = kind === 'adam'
  return {
    ...numbers,
    gradient: fresh(),
    direction: fresh(),
    ...(withAll || needsM.includes(kind) ? { m: fresh() } : {}),
    // Curvatures may be negative; in 'gate' v is what is gated.
    ...(hasV.includes(kind) ? { v: kind === 'quotient' || kind === 'gate' ? fresh() : squares() } : {}),
    ...(isAdam && withAll ? { vMax: squares() } : {}),
    ...(withAll ? { w: fresh() } : {}),
  }
}

interface Named extends UpdateArray {
  readonly gradient: Data
  readonly m?: Data
  readonly v?: Data
  readonly vMax?: Data
  readonly direction: Data
  readonly w?: Data
}

const copied = (array: Named): Named => {
  const copies = stored.map((field) => [field, array[field]?.slice()] as const).filter(([, data]) => data !== undefined)
  return { ...array, ...Object.fromEntries(copies) }
}

/** A value with the error it may have, in ulp. */
type Expected = readonly [value: number, error: number]

/** The formulas of the header for one element, in f64. */
function expected(kind: UpdateKind, a: Named, i: number): Partial<Record<Stored, Expected>> {
  const w = a.w?.[i] ?? 0
  const l2 = a.w ? numbers.l2 : 0
  const g = a.gradient[i]! + l2 * w
  const gError = 2 * (Math.abs(a.gradient[i]!) + l2 * Math.abs(w))
  const old = a.m?.[i] ?? 0
  const moves = kind !== 'combine' && kind !== 'product' && a.m !== undefined
  const m = moves ? numbers.mDecay * old + numbers.mWeight * g : old
  const mError = moves ? 2 * (Math.abs(numbers.mDecay * old) + Math.abs(numbers.mWeight * g)) + gError : 0
  const used = kind === 'sign' ? old : m
  const numerator = numbers.fromGradient * g + numbers.fromM * used
  const terms = Math.abs(numbers.fromGradient * g) + Math.abs(numbers.fromM * used)
  let d: Expected = [numerator, 2 * terms + gError + mError]
  const result: Partial<Record<Stored, Expected>> = moves ? { m: [m, mError] } : {}
  if (kind === 'sign') d = [Math.sign(numerator), 0]
  const quotientError = 8 * terms + gError + mError
  const bounded = (value: number) => Math.min(Math.max(value, numbers.lower), numbers.upper)
  if (kind === 'max') {
    const v = Math.max(numbers.vDecay * a.v![i]!, numbers.vWeight * Math.abs(g))
    result.v = [v, 2 * v + numbers.vWeight * gError]
    const denominator = numbers.vScale * v + numbers.epsilon
    d = [numerator / denominator, quotientError / denominator]
  }
  if (kind === 'quotient') {
    const denominator = Math.max(numbers.vScale * Math.abs(a.v![i]!), numbers.epsilon)
    d = [bounded(numerator / denominator), quotientError / denominator]
  }
  if (kind === 'product') {
    const product = numbers.fromGradient * g * old
    d = [bounded(product), 2 * Math.abs(product) + numbers.fromGradient * Math.abs(old) * gError]
  }
  if (kind === 'gate') {
    const gated = a.v![i]!
    d = [gated / (1 + Math.exp(-Math.abs(g - old))), Math.abs(gated) * (8 + gError / 4)]
  }
  if (kind === 'adam') {
    const v = numbers.vDecay * a.v![i]! + numbers.vWeight * g * g
    result.v = [v, 2 * v + 2 * numbers.vWeight * Math.abs(g) * gError]
    const largest = a.vMax ? Math.max(a.vMax[i]!, v) : v
    if (a.vMax) result.vMax = [largest, result.v[1]]
    const root = Math.sqrt(numbers.vScale * largest + numbers.epsilonInside) + numbers.epsilon
    d = [numerator / root, quotientError / root]
  }
  result.direction = d
  if (a.w) {
    const size = Math.abs(w) + Math.abs(numbers.lr * d[0]) + Math.abs(numbers.shrinkage * w)
    result.w = [w - numbers.lr * d[0] - numbers.shrinkage * w, 2 * size + numbers.lr * d[1]]
  }
  return result
}

function expectWithinBound(kind: UpdateKind, dtype: DType, before: Named, after: Named): void {
  const { ulp } = precision[dtype]
  for (let i = 0; i < before.gradient.length; i++) {
    const wanted = expected(kind, before, i)
    for (const field of stored) {
      const [value, error] = wanted[field] ?? [before[field]?.[i] ?? 0, 0]
      const got = after[field]?.[i] ?? value
      if (!(Math.abs(got - value) <= error * ulp)) {
        expect.fail(`${kind} ${dtype}: ${field}[${i}] is ${got}, expected ${value} within ${error} ulp`)
      }
    }
  }
}

const sizes = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 100, 16383, 16384, 16385, 40000]

describe.each([main, ...others, reference])('elementwiseUpdate on $label', (testDevice) => {
  const withDevice = (check: (device: Device) => void) => {
    const device = testDevice.open()
    check(device)
    device.dispose()
  }

  describe.each(dtypes)('%s', (dtype) => {
    it.each(kinds)('%s keeps the bound, with and without what is optional', (kind) => {
      withDevice((device) => {
        const random = new Random(3)
        const list = sizes.flatMap((count) => [true, false].map((all) => entry(kind, dtype, count, random, all)))
        const before = list.map(copied)
        expect(elementwiseUpdate(device, kind, list)).toEqual(list.map(() => true))
        list.forEach((after, index) => {
          expectWithinBound(kind, dtype, before[index]!, after)
        })
      })
    })

    it.each(kinds)('%s: same bits alone, element by element, and on two threads', (kind) => {
      const one = testDevice.open({ threads: 1 })
      const two = testDevice.open({ threads: 2 })
      const random = new Random(4)
      const list = sizes.map((count) => entry(kind, dtype, count, random, true))
      const [alone, together] = [list.map(copied), list.map(copied)]
      elementwiseUpdate(one, kind, list)
      for (const array of alone) elementwiseUpdate(one, kind, [array])
      elementwiseUpdate(two, kind, together)
      list.forEach((array, index) => {
        for (const field of stored) {
          if (array[field] === undefined) continue
          expectSameBits(alone[index]![field]!, array[field])
          expectSameBits(together[index]![field]!, array[field])
        }
      })
      one.dispose()
      two.dispose()
    })

    it.each(kinds)('%s: a bad element is reported for its array and spoils no other element', (kind) => {
      withDevice((device) => {
        for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
          const random = new Random(5)
          const good = [33, 50, 17].map((count) => entry(kind, dtype, count, random, true))
          const poisoned = good.map(copied)
          poisoned[1] = { ...poisoned[1]!, gradient: poisoned[1]!.gradient.slice() }
          poisoned[1].gradient[20] = bad
          elementwiseUpdate(device, kind, good)
          expect(elementwiseUpdate(device, kind, poisoned)).toEqual([true, false, true])
          good.forEach((array, index) => {
            for (const field of stored) {
              const [mine, other] = [array[field]?.slice(), poisoned[index]![field]?.slice()]
              if (!mine || !other) continue
              if (index === 1) mine[20] = other[20] = 0
              expectSameBits(other, mine)
            }
          })
        }
      })
    })

    it('updates tensors as it does typed arrays', () => {
      withDevice((device) => {
        const random = new Random(6)
        const arrays = entry('adam', dtype, 40, random, true)
        const tensors = Object.fromEntries(
          (['gradient', ...stored] as const).map((field) => [field, device.tensor(arrays[field]!, [5, 8])]),
        )
        elementwiseUpdate(device, 'adam', [{ ...numbers, ...tensors } as unknown as UpdateArray])
        elementwiseUpdate(device, 'adam', [arrays])
        for (const field of stored) expectSameBits(tensors[field]!.data(), arrays[field]!)
      })
    })

    it('the direction may take the place of the gradient, or of an m that is only read', () => {
      withDevice((device) => {
        const x = typed(dtype, [1, 2, 3])
        const y = typed(dtype, [10, 20, 30])
        elementwiseUpdate(device, 'combine', [{ gradient: x, direction: x, fromGradient: 3 }])
        expect(Array.from(x)).toEqual([3, 6, 9])
        elementwiseUpdate(device, 'combine', [{ gradient: x, m: y, direction: y, fromGradient: 1, fromM: 0.5 }])
        expect(Array.from(y)).toEqual([8, 16, 24])
        elementwiseUpdate(device, 'product', [{ gradient: x, m: y, direction: y, fromGradient: 0.5 }])
        expect(Array.from(y)).toEqual([12, 48, 108])
        const v = typed(dtype, [3, -6, 0])
        elementwiseUpdate(device, 'quotient', [
          { gradient: x, v, direction: v, fromGradient: 2, vScale: 1, epsilon: 9, lower: 0, upper: 1.5 },
        ])
        expect(Array.from(v)).toEqual([2 / 3, 4 / 3, 1.5].map(dtype === 'f32' ? Math.fround : Number))
      })
    })

    it('gate: from one half where nothing changed to one where everything did', () => {
      withDevice((device) => {
        const changes = [0, 1e-9, 0.1, 1, 5, 17, 18, 39.9, 40.1, 100, 1e30]
        const gradient = typed(dtype, changes)
        const m = typed(dtype, new Array(changes.length).fill(0))
        const v = typed(dtype, new Array(changes.length).fill(-3))
        elementwiseUpdate(device, 'gate', [{ gradient, m, v, direction: v, mWeight: 1 }])
        changes.forEach((_, i) => {
          const wanted = -3 / (1 + Math.exp(-gradient[i]!))
          expect(Math.abs(v[i]! - wanted)).toBeLessThanOrEqual(24 * precision[dtype].ulp)
        })
        expect(Array.from(m)).toEqual(Array.from(gradient))
      })
    })

    it('max: v holds the larger of what decayed and what came', () => {
      withDevice((device) => {
        const v = typed(dtype, [4, 4, 0])
        const direction = typed(dtype, [0, 0, 0])
        const numbersOfIt = { vDecay: 0.5, vWeight: 1, fromGradient: 1, vScale: 1, epsilon: 1 }
        elementwiseUpdate(device, 'max', [{ gradient: typed(dtype, [1, -3, 0]), v, direction, ...numbersOfIt }])
        expect(Array.from(v)).toEqual([2, 3, 0])
        expect(Array.from(direction)).toEqual([1 / 3, -3 / 4, 0].map(dtype === 'f32' ? Math.fround : Number))
      })
    })
  })
})

describe('elementwiseUpdate refuses', () => {
  const device = main.open()
  const gradient = new Float32Array(4)
  const m = new Float32Array(4)
  const update =
    (array: unknown, kind: unknown = 'momentum') =>
    () =>
      elementwiseUpdate(device, kind as UpdateKind, [array as UpdateArray])

  it('what it does not know, with the name of the entry', () => {
    expectRefused(update({ gradient, m }, 'adamw'), 'ERR_OPTION', "kind must be one of 'combine', 'momentum'")
    expectRefused(() => elementwiseUpdate(device, 'adam', null as never), 'ERR_ARGUMENT', 'arrays must be a list')
    expectRefused(update({ gradient, m, beta: 1 }), 'ERR_OPTION', "arrays[0]: there is no option 'beta'")
    expectRefused(
      update({ gradient, m, lr: Number.NaN }),
      'ERR_OPTION',
      'arrays[0].lr must be a finite number, got NaN',
    )
    expectRefused(update({ gradient, m, lr: 1e39 }), 'ERR_OPTION', 'arrays[0].lr: expected a number that is finite')
    expectRefused(update({ gradient: [1], m }), 'ERR_ARGUMENT', 'arrays[0].gradient must be a Tensor, a Float32Array')
    expectRefused(update({ gradient }), 'ERR_SHAPE', 'arrays[0].m: expected 4 elements, got NULL')
    expectRefused(update({ gradient, m, v: m }), 'ERR_SHAPE', 'arrays[0].v: expected NULL, which is for ADAM, MAX')
    expectRefused(update({ gradient, v: m }, 'product'), 'ERR_SHAPE', 'arrays[0].m: expected 4 elements, got NULL')
    expectRefused(update({ gradient, m }, 'gate'), 'ERR_SHAPE', 'arrays[0].v: expected 4 elements, got NULL')
    expectRefused(update({ gradient, m: new Float32Array(3) }), 'ERR_SHAPE', 'arrays[0].m has 3 elements')
    expectRefused(update({ gradient, m: new Float64Array(4) }), 'ERR_DTYPE', 'arrays[0].m must be f32')
    expectRefused(update({ gradient, m: new Int32Array(4) }), 'ERR_DTYPE', 'arrays[0].m must be f32')
    expectRefused(update({ gradient, m: 3 }), 'ERR_ARGUMENT', 'arrays[0].m must be a Tensor')
    expectRefused(update({ gradient, m: device.tensor(m, [4], { dtype: 'f64' }) }), 'ERR_DTYPE', 'arrays[0].m must be')
  })

  it('memory that is written twice, or read elsewhere', () => {
    const whole = new Float32Array(7)
    const [first, second] = [whole.subarray(0, 4), whole.subarray(3, 7)]
    expectRefused(update({ gradient, m: first, w: second }), 'ERR_ALIAS', 'expected memory apart from arrays[0]')
    const array = { gradient, m }
    expectRefused(() => elementwiseUpdate(device, 'momentum', [array, array]), 'ERR_ALIAS', 'expected memory apart')
    const neighbours = { gradient, m: whole.subarray(0, 4), w: new Float32Array(whole.buffer, 12, 3) }
    expectRefused(update(neighbours), 'ERR_SHAPE', 'arrays[0].w has 3 elements')
  })

  it('detached buffers, disposed tensors, and those of other devices', () => {
    const detached = new Float32Array(4)
    structuredClone(detached.buffer, { transfer: [detached.buffer] })
    expectRefused(update({ gradient, m: detached }), 'ERR_BUFFER', 'arrays[0].m: its buffer was transferred away')
    const other = main.open()
    expectRefused(update({ gradient, m: other.tensor(m, [4]) }), 'ERR_ARGUMENT', 'arrays[0].m is on another device')
    const gone = device.tensor(m, [4])
    gone.dispose()
    expectRefused(update({ gradient, m: gone }), 'ERR_DISPOSED', 'arrays[0].m was disposed')
    other.dispose()
    expectRefused(() => elementwiseUpdate(other, 'combine', []), 'ERR_DISPOSED', 'device was disposed')
    expectRefused(() => elementwiseUpdate({} as Device, 'combine', []), 'ERR_ARGUMENT', 'device must be a Device')
    expect(elementwiseUpdate(device, 'combine', [])).toEqual([])
  })
})
