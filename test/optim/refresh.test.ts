// The refresh engine under Shampoo and SOAP: staggered, adaptive and asynchronous refreshes against those of every step.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Device, open } from '../../lib/device.js'
import {
  eigenvalueCorrectedShampoo,
  type Gradients,
  PhaseClock,
  type Rule,
  type RuleContext,
  shampoo,
  soap,
} from '../../lib/optim/index.js'
import { saveSlots } from '../../lib/optim/slots.js'
import { onHost } from '../../lib/precondition/arrays.js'
import { gradientSequence } from './random.js'
import { optimizerOf, runRule, worstDifference } from './run-rule.js'

let device: Device
beforeAll(() => {
  device = open('cpu')
})
afterAll(() => {
  expect(device.memory().tensors).toBe(0)
  device.dispose()
})

const specs = (shapes: readonly (readonly number[])[]) => shapes.map((shape, index) => ({ name: `p${index}`, shape }))

/** Directions step by step; with `isYielding` answers from other threads are waited for after each. `after` sees the state. */
async function run<State>(
  rule: Rule<State>,
  shapes: readonly (readonly number[])[],
  gradients: readonly Gradients[],
  { isYielding = false, after }: { isYielding?: boolean; after?: (state: State, step: number) => void } = {},
): Promise<number[][][]> {
  const state = rule.init(specs(shapes), device)
  const all: number[][][] = []
  try {
    for (const [index, list] of gradients.entries()) {
      const context: RuleContext = { step: index + 1, lr: 1, clock: new PhaseClock() }
      all.push(rule.update(list, state, context).map((direction) => Array.from(direction ? onHost(direction) : [])))
      if (isYielding) await rule.settled!(state)
      after?.(state, index + 1)
    }
    return all
  } finally {
    await rule.settled?.(state)
    rule.dispose(state)
  }
}

const refreshedAt = (rule: Rule, state: unknown) => {
  const slots = rule.slots(state).filter(({ keys }) => keys[0]!.includes('.refreshedAt0'))
  return Object.values(saveSlots(slots)).map((array) => array[0]!)
}

describe('staggered', () => {
  const shapes = Array.from({ length: 6 }, () => [5, 4])
  const gradients = gradientSequence(shapes, 15)
  const staggered = { merge: 'none', refresh: { every: 3, start: 2, staggered: true } } as const

  test('each block has its turn once in a period, a part of them in every step', async () => {
    const rule = shampoo(staggered)
    const steps: number[][] = []
    await run(rule, shapes, gradients, { after: (state) => steps.push(refreshedAt(rule, state)) })
    expect(steps[0]).toEqual([0, 0, 0, 0, 0, 0])
    expect(steps[1]).toEqual([2, 2, 0, 0, 0, 0])
    expect(steps[2]).toEqual([2, 2, 3, 3, 0, 0])
    expect(steps[3]).toEqual([2, 2, 3, 3, 4, 4])
    expect(steps[4]).toEqual([5, 5, 3, 3, 4, 4])
    expect(steps[13]).toEqual([14, 14, 12, 12, 13, 13])
  })

  test('in its turn a block does what it does when all are refreshed in every step; before its first turn it grafts', async () => {
    const directions = await run(shampoo({ ...staggered, graft: 'adam' }), shapes, gradients)
    const always = await run(shampoo({ merge: 'none', graft: 'adam' }), shapes, gradients)
    const graftOnly = await run(shampoo({ merge: 'none', graft: 'adam', refresh: { start: 100 } }), shapes, gradients)
    gradients.forEach((_, index) => {
      const step = index + 1
      shapes.forEach((_shape, p) => {
        const first = 2 + Math.floor(p / 2)
        if (step < first) expect(directions[index]![p]).toEqual(graftOnly[index]![p])
        else if ((step - first) % 3 === 0)
          expect(worstDifference(directions[index]![p]!, always[index]![p]!)).toBeLessThan(1e-5)
      })
    })
  })

  test('large matrices have their steps to themselves: turns go by cost', async () => {
    const mixed = [[32, 32], ...Array.from({ length: 8 }, () => [4, 4])]
    const rule = shampoo({ merge: 'none', refresh: { every: 4, start: 1, staggered: true } })
    const when: number[][] = []
    await run(rule, mixed, gradientSequence(mixed, 4), { after: (state) => when.push(refreshedAt(rule, state)) })
    // The large one is the cost: it has its turn in the middle of the round, the small ones at its end.
    expect(when[3]).toEqual([2, 4, 4, 4, 4, 4, 4, 4, 4])
  })

  test('a period that changes: every block has its turn, none waits longer than the longest period', async () => {
    const rule = shampoo({ merge: 'none', refresh: { every: (s) => (s < 6 ? 2 : 5), start: 1, staggered: true } })
    await run(rule, shapes, gradientSequence(shapes, 30), {
      after: (state, step) => {
        if (step < 7) return
        for (const at of refreshedAt(rule, state)) expect(step - at).toBeLessThanOrEqual(5)
      },
    })
  })

  test('resumes with the same turns', () => {
    const whole = optimizerOf(device, shapes, shampoo(staggered))
    const first = optimizerOf(device, shapes, shampoo(staggered))
    const second = optimizerOf(device, shapes, shampoo(staggered))
    for (const list of gradients) whole.step(list)
    for (const list of gradients.slice(0, 6)) first.step(list)
    second.loadStateDict(structuredClone(first.stateDict()))
    second.parameters.forEach(({ value }, p) => {
      value.set(first.parameters[p]!.value)
    })
    for (const list of gradients.slice(6)) second.step(list)
    expect(second.parameters.map(({ value }) => value)).toEqual(whole.parameters.map(({ value }) => value))
    for (const optimizer of [whole, first, second]) optimizer.dispose()
  })
})

describe('a block whose refresh is due waits for a gradient', () => {
  test('a parameter with a gradient in odd steps only is refreshed, whatever the period', async () => {
    const rule = shampoo({ merge: 'none', refresh: { every: 4 } })
    const gradients = gradientSequence([[5, 4]], 12).map((list, index) => (index % 2 === 0 ? list : [null]))
    const when: number[] = []
    await run(rule, [[5, 4]], gradients, { after: (state) => when.push(refreshedAt(rule, state)[0]!) })
    expect(when).toEqual([0, 0, 0, 0, 5, 5, 5, 5, 9, 9, 9, 9])
  })
})

describe('adaptive', () => {
  const shapes = [[6, 5]]
  /** The same gradient: the corrected average of its Gram matrices does not change. */
  const constant = Array.from({ length: 6 }, () => gradientSequence(shapes, 1)[0]!)
  const options = { merge: 'none', beta1: 0, beta2: 0.9, ridge: { relative: 1e-2 } } as const

  test.each([
    ['relative', { relative: 1e-2 }],
    ['absolute', { absolute: 1e-2 }],
    ['trace', { trace: 1e-2 }],
  ] as const)('a root that still whitens is kept, with a %s ridge', (_, ridge) => {
    const optimizer = optimizerOf(device, shapes, shampoo({ ...options, ridge, refresh: { tolerance: 0.01 } }))
    for (const list of constant) optimizer.step(list)
    for (const solve of optimizer.report().groups[0]!.solves) expect(solve).toMatchObject({ refreshes: 1, kept: 5 })
    optimizer.dispose()
  })

  test('a root that does not is computed anew', () => {
    const optimizer = optimizerOf(device, shapes, shampoo({ ...options, refresh: { tolerance: 0.01 } }))
    for (const list of gradientSequence(shapes, 6)) optimizer.step(list)
    for (const solve of optimizer.report().groups[0]!.solves) expect(solve).toMatchObject({ refreshes: 6, kept: 0 })
    optimizer.dispose()
  })

  test('directions stay within the tolerance of those with roots of every step', () => {
    const gradients = gradientSequence(shapes, 40)
    const always = runRule(device, shampoo({ ...options, beta2: 0.99 }), shapes, gradients)
    const optimizer = shampoo({ ...options, beta2: 0.99, refresh: { tolerance: 0.1 } })
    const adaptive = runRule(device, optimizer, shapes, gradients)
    adaptive.forEach(([direction], step) => {
      const size = Math.hypot(...always[step]![0]!)
      expect(worstDifference(direction!, always[step]![0]!) / size).toBeLessThan(0.1)
    })
  })

  test('a basis in which the statistic is diagonal enough is kept', () => {
    const optimizer = optimizerOf(device, shapes, soap({ refresh: { every: 1, tolerance: 1e-3 } }))
    for (const list of constant) optimizer.step(list)
    const [left] = optimizer.report().groups[0]!.solves
    expect(left!.kept).toBe(5)
    optimizer.dispose()
  })
})

describe('asynchronous', () => {
  const shapes = [
    [6, 5],
    [6, 5],
    [4, 3],
  ]
  const gradients = gradientSequence(shapes, 12)
  const options = { merge: 'none', beta1: 0, beta2: 0.9, ridge: { relative: 1e-3 }, root: { method: 'eigh' } } as const

  /** Directions with the roots of `late` steps before, and the gradient itself before there are any. */
  const delayed = async (late: number) => {
    const rule = shampoo(options)
    const roots: Record<string, Float32Array>[] = []
    await run(rule, shapes, gradients, {
      after: (state) => roots.push(saveSlots(rule.slots(state)) as Record<string, Float32Array>),
    })
    return gradients.map((list, index) =>
      list.map((gradient, p) => {
        const known = roots[index - late]
        if (known === undefined) return Array.from(gradient)
        const [m, n] = shapes[p] as [number, number]
        const left = known[`p${p}/block0.root0`]!
        const right = known[`p${p}/block0.root1`]!
        return Array.from({ length: m * n }, (_, at) => {
          let sum = 0
          for (let i = 0; i < m; i++) {
            for (let j = 0; j < n; j++)
              sum += left[Math.floor(at / n) * m + i]! * gradient[i * n + j]! * right[j * n + (at % n)]!
          }
          return sum
        })
      }),
    )
  }

  const expectNear = (actual: number[][][], expected: number[][][], tolerance: number) =>
    actual.forEach((directions, index) => {
      directions.forEach((direction, p) => {
        const size = Math.hypot(...expected[index]![p]!)
        expect(worstDifference(direction, expected[index]![p]!) / size, `step ${index + 1}`).toBeLessThan(tolerance)
      })
    })

  test('a loop that never yields: the roots in use are those of exactly `staleness` steps before', async () => {
    const rule = shampoo({ ...options, refresh: { staleness: 2 } })
    const state = rule.init(specs(shapes), device)
    const directions = gradients.map((list, index) =>
      rule
        .update(list, state, { step: index + 1, lr: 1, clock: new PhaseClock() })
        .map((direction) => Array.from(onHost(direction!))),
    )
    const [solve] = rule.report(state)
    // While one solve is under way a block starts no other: refreshed in steps 1, 3, 5, ... and used two steps later.
    expect(solve).toMatchObject({ oldest: 9, pending: 2, failures: 0 })
    await rule.settled!(state)
    rule.dispose(state)
    const [two, three] = [await delayed(2), await delayed(3)]
    const expected = gradients.map((_, index) => (index % 2 === 0 ? two : three)[index]!)
    expectNear(directions, expected, 2e-4)
  })

  test('a loop that yields: the roots in use are those of the step before, and never older than allowed', async () => {
    const rule = shampoo({ ...options, refresh: { staleness: 5 } })
    const ages: number[] = []
    const directions = await run(rule, shapes, gradients, {
      isYielding: true,
      after: (state, step) => ages.push(step - rule.report(state)[0]!.oldest!),
    })
    expect(Math.max(...ages.slice(5))).toBeLessThanOrEqual(5)
    expectNear(directions.slice(1), (await delayed(1)).slice(1), 2e-4)
  })

  test('saving ends what is under way: the state is whole, and a resumed run goes on with the same bits', async () => {
    const rule = () => shampoo({ ...options, refresh: { staleness: 3 } })
    const optimizer = optimizerOf(device, shapes, rule())
    for (const list of gradients.slice(0, 4)) optimizer.step(list)
    const saved = structuredClone(optimizer.stateDict())
    expect(optimizer.report().groups[0]!.solves.map(({ pending }) => pending)).toEqual([0, 0, 0, 0])
    const resumed = optimizerOf(device, shapes, rule())
    resumed.loadStateDict(saved)
    resumed.parameters.forEach(({ value }, p) => {
      value.set(optimizer.parameters[p]!.value)
    })
    for (const list of gradients.slice(4)) {
      optimizer.step(list)
      resumed.step(list)
    }
    expect(resumed.parameters.map(({ value }) => value)).toEqual(optimizer.parameters.map(({ value }) => value))
    await Promise.all([optimizer.settled(), resumed.settled()])
    optimizer.dispose()
    resumed.dispose()
  })

  test.each<[string, () => Rule]>([
    ['soap', () => soap({ refresh: { every: 2, staleness: 2 } })],
    ['eigenvalueCorrectedShampoo', () => eigenvalueCorrectedShampoo({ merge: 'none', refresh: { staleness: 2 } })],
  ])('%s carries its moments when the basis comes, and stays near the synchronous run', async (name, make) => {
    const synchronous: Rule =
      name === 'soap' ? soap({ refresh: { every: 2 } }) : eigenvalueCorrectedShampoo({ merge: 'none' })
    const square = [[5, 5]]
    const list = gradientSequence(square, 60)
    const [late, now] = [await run(make(), square, list, { isYielding: true }), await run(synchronous, square, list)]
    // Bases of slowly changing statistics: after 60 steps the runs differ by what two steps change.
    const size = Math.hypot(...now[59]![0]!)
    expect(worstDifference(late[59]![0]!, now[59]![0]!) / size).toBeLessThan(0.2)
  })

  test.each(['f64', 'bf16'] as const)('statistics in %s are solved off the thread, too', async (storage) => {
    const settled = { ...options, storage } as const
    const [late, now] = [
      await run(shampoo({ ...settled, refresh: { staleness: 3 } }), shapes, gradients, { isYielding: true }),
      await run(shampoo(settled), shapes, gradients),
    ]
    // The second step applies the roots of the first to its own gradient; the first has none yet.
    expect(late[0]).toEqual(gradients[0]!.map((gradient) => Array.from(gradient)))
    late.slice(1).forEach((directions, step) => {
      for (const direction of directions) expect(direction.every(Number.isFinite), `step ${step + 2}`).toBe(true)
    })
    expect(late[11]).not.toEqual(now[11])
  })

  test('factors that fail are counted when their answer comes, and raise after the tolerated number', async () => {
    const failing = { ...options, ridge: 'none', toleratedFailures: 1, refresh: { staleness: 1 } } as const
    const optimizer = optimizerOf(device, [[6, 1]], shampoo(failing))
    const column = Float32Array.of(1, 0, 0, 0, 0, 0)
    optimizer.step([column])
    optimizer.step([column])
    expect(() => optimizer.step([column])).toThrow(expect.objectContaining({ code: 'ERR_NOT_CONVERGED' }))
    await optimizer.settled()
    optimizer.dispose()
  })
})

describe('burn-in', () => {
  test.each<[string, () => Rule]>([
    ['shampoo', () => shampoo({ refresh: { burnIn: 3 } })],
    ['soap', () => soap({ refresh: { burnIn: 3 } })],
  ])('%s: the first steps collect statistics and move nothing', (_, make) => {
    const optimizer = optimizerOf(device, [[4, 3]], make())
    const before = optimizer.parameters[0]!.value.slice()
    gradientSequence([[4, 3]], 4).forEach((list, index) => {
      optimizer.step(list)
      const isSame = optimizer.parameters[0]!.value.every((value, i) => value === before[i])
      expect(isSame).toBe(index < 3)
    })
    optimizer.dispose()
  })
})
