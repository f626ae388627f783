import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Device, open } from '../../lib/device.js'
import {
  adamw,
  cosine,
  muon,
  Optimizer,
  type OptimizerOptions,
  type Parameter,
  type ParameterGroupOptions,
  sgd,
  shampoo,
} from '../../lib/optim/index.js'

let device: Device
beforeAll(() => {
  device = open('cpu')
})
afterAll(() => {
  expect(device.memory().tensors).toBe(0)
  device.dispose()
})

const parameter = (name: string, ...values: number[]): Parameter => ({
  name,
  shape: [values.length],
  value: Float32Array.from(values),
})
const list = (...values: number[]) => Float32Array.from(values)

function make(
  groups: readonly Partial<ParameterGroupOptions>[],
  options?: OptimizerOptions,
): { optimizer: Optimizer; value: (index?: number) => number[] } {
  const complete = groups.map((group, index) => ({
    params: [parameter(`p${index}`, 1, -2)],
    rule: sgd(),
    lr: 0.5,
    ...group,
  }))
  const optimizer = new Optimizer(device, complete, options)
  return { optimizer, value: (index = 0) => Array.from(optimizer.parameters[index]!.value) }
}

describe('step', () => {
  test('updates in place, W <- W - lr D', () => {
    const { optimizer, value } = make([{}])
    const array = optimizer.parameters[0]!.value
    optimizer.step([list(2, 4)])
    expect(value()).toEqual([0, -4])
    expect(optimizer.parameters[0]!.value).toBe(array)
    expect(optimizer.steps).toBe(1)
  })

  test('takes gradients as a list, a Map or a record by name', () => {
    for (const gradients of [
      [list(2, 0), list(0, 2)],
      new Map([
        ['p1', list(0, 2)],
        ['p0', list(2, 0)],
      ]),
      { p1: list(0, 2), p0: list(2, 0) },
    ]) {
      const { optimizer, value } = make([{}, {}])
      optimizer.step(gradients)
      expect([value(0), value(1)]).toEqual([
        [0, -2],
        [1, -3],
      ])
    }
  })

  test('every group has its own rule and learning rate; lr is asked for the step, counted from 1', () => {
    const asked: number[] = []
    const lr = (step: number) => {
      asked.push(step)
      return step
    }
    const { optimizer, value } = make([{ lr }, { lr: 0.25, rule: adamw() }])
    optimizer.step([list(1, 0), list(8, 0)])
    optimizer.step([list(1, 0), null])
    expect(asked).toEqual([1, 2])
    expect(value(0)).toEqual([-2, -2])
    expect(value(1)[0]).toBeCloseTo(0.75, 6)
  })

  test('a gradient of null or undefined leaves its parameter alone', () => {
    const { optimizer, value } = make([{ weightDecay: 1 }, { weightDecay: 1 }])
    optimizer.step([null, undefined])
    optimizer.step({ p0: undefined, p1: null })
    expect([value(0), value(1)]).toEqual([
      [1, -2],
      [1, -2],
    ])
    expect(optimizer.steps).toBe(2)
  })

  test.each<[string, never, string]>([
    ['a short list', [list(1, 2)] as never, 'got 1 gradients for 2 parameters (null stands for no gradient)'],
    ['a missing name', { p0: list(1, 2) } as never, 'no gradient for p1 (null stands for no gradient)'],
    ['an unknown name', { p0: null, p1: null, q: null } as never, 'unknown parameters q'],
    ['both', { p0: null, w: null } as never, 'no gradient for p1 (null stands for no gradient); unknown parameters w'],
    [
      'another length',
      [list(1), list(1, 2, 3)] as never,
      'gradient of p0 has 1 elements, its parameter 2; gradient of p1 has 3',
    ],
    [
      'another type',
      [[1, 2], list(1, 2)] as never,
      'gradient of p0 must be a Float32Array, an f32 tensor or null, got [1, 2]',
    ],
    ['no gradients', undefined as never, 'gradients must be a list, a Map or a record by name, got undefined'],
  ])('refuses %s before touching anything', (_, gradients, message) => {
    const { optimizer, value } = make([{ rule: sgd({ momentum: 0.9 }) }, {}])
    const before = optimizer.stateDict()
    expect(() => optimizer.step(gradients)).toThrow(
      expect.objectContaining({ code: 'ERR_SHAPE', message: expect.stringContaining(message) }),
    )
    expect([value(0), value(1)]).toEqual([
      [1, -2],
      [1, -2],
    ])
    expect(optimizer.stateDict()).toEqual(before)
  })

  test('a learning rate that is no number stops before any parameter has moved', () => {
    const { optimizer, value } = make([{}, { lr: () => Number.NaN }])
    expect(() => optimizer.step([list(1, 1), list(1, 1)])).toThrow(
      'group 1: lr at step 1 must be a finite number >= 0, got NaN',
    )
    expect(value(0)).toEqual([1, -2])
  })

  test('nonFinite throw names the parameters and touches nothing', () => {
    const { optimizer, value } = make([{}, {}], { nonFinite: 'throw' })
    expect(() => optimizer.step([list(1, 1), list(1, Number.POSITIVE_INFINITY)])).toThrow(
      expect.objectContaining({
        code: 'ERR_NON_FINITE',
        message: expect.stringContaining('the gradients of p1 are not finite'),
      }),
    )
    expect(value(0)).toEqual([1, -2])
    expect(optimizer.steps).toBe(0)
  })
})

describe('weight decay', () => {
  const after = (group: Partial<ParameterGroupOptions>, gradient = list(0, 0), steps = 1) => {
    const { optimizer, value } = make([{ weightDecay: 0.25, ...group }])
    for (let step = 0; step < steps; step++) optimizer.step([gradient])
    return value()
  }

  test('decoupled: W (1 - lr wd), next to the direction', () => {
    expect(after({})).toEqual([0.875, -1.75])
    expect(after({}, list(2, 0))).toEqual([-0.125, -1.75])
  })

  test('l2: wd W enters the rule, so a sign-like rule forgets its size', () => {
    expect(after({ weightDecayMode: 'l2' })).toEqual([0.875, -1.75])
    const [first, second] = after({ weightDecayMode: 'l2', rule: adamw() })
    expect(first).toBeCloseTo(0.5, 5)
    expect(second).toBeCloseTo(-1.5, 5)
  })

  test('corrected: lr (lr / peak) wd', () => {
    const lr = (step: number) => (step === 1 ? 0.5 : 0.25)
    expect(after({ weightDecayMode: 'corrected', lr, peakLr: 0.5 })).toEqual([0.875, -1.75])
    // Step 2: 0.25 * 0.5 * 0.25 = 1 / 32.
    expect(after({ weightDecayMode: 'corrected', lr, peakLr: 0.5 }, list(0, 0), 2)).toEqual([
      0.875 * (31 / 32),
      -1.75 * (31 / 32),
    ])
    expect(after({ weightDecayMode: 'corrected' })).toEqual([0.875, -1.75])
  })

  test('independent: wd, whatever the learning rate', () => {
    expect(after({ weightDecayMode: 'independent', lr: 0 })).toEqual([0.75, -1.5])
  })

  test('a schedule', () => {
    expect(after({ weightDecay: (step) => (step === 2 ? 1 : 0) }, list(0, 0), 2)).toEqual([0.5, -1])
  })

  test.each<[Partial<ParameterGroupOptions>, string]>([
    [{ weightDecay: -1 }, 'group 0: weightDecay must be a finite number >= 0, got -1'],
    [
      { weightDecayMode: 'L2' as never },
      "group 0: weightDecayMode must be one of 'decoupled', 'l2', 'corrected', 'independent', got 'L2'",
    ],
    [
      { weightDecayMode: 'corrected', lr: cosine({ peak: 1, steps: 9 }) },
      'group 0: peakLr must be the largest value of lr',
    ],
    [{ peakLr: 1 }, 'group 0: peakLr must be'],
  ])('refuses %j', (group, message) => {
    expect(() => make([group])).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringContaining(message) }),
    )
  })
})

describe('construction', () => {
  const bad = (params: unknown) => () => new Optimizer(device, [{ params: params as Parameter[], rule: sgd(), lr: 1 }])

  test.each<[() => unknown, string, string]>([
    [
      bad([parameter('a', 1), parameter('a', 1)]),
      'ERR_OPTION',
      "params[].name must be a name that no other parameter has, got 'a'",
    ],
    [bad([{ name: '', shape: [1], value: list(1) }]), 'ERR_OPTION', "params[].name must be a non-empty string, got ''"],
    [bad([{ name: 'a', shape: [2], value: list(1) }]), 'ERR_SHAPE', 'a has shape [2], 2 elements, but a value of 1'],
    [
      bad([{ name: 'a', shape: [-1], value: list(1) }]),
      'ERR_OPTION',
      'a.shape must be a list of integers >= 0, got [-1]',
    ],
    [bad([{ name: 'a', shape: [1], value: [1] }]), 'ERR_OPTION', 'a.value must be a Float32Array, got [1]'],
    [bad({}), 'ERR_OPTION', 'group 0: params must be a list of parameters, got an object'],
    [
      () => make([{ rule: 'adamw' as never }]),
      'ERR_OPTION',
      "group 0: rule must be a rule such as adamw(), muon() or shampoo(), got 'adamw'",
    ],
    [() => make([{ lr: -1 }]), 'ERR_OPTION', 'group 0: lr must be a finite number >= 0, got -1'],
    [() => make([{ learningRate: 1 } as never]), 'ERR_OPTION', "group 0: there is no option 'learningRate'"],
    [
      () => make([{}], { nonFinite: 'ignore' as never }),
      'ERR_OPTION',
      "Optimizer: nonFinite must be one of 'skip', 'throw', got 'ignore'",
    ],
    [
      () => sgd({ nesterov: true }),
      'ERR_OPTION',
      'sgd: nesterov must be false, or true with momentum > 0 and dampening 0, got true',
    ],
    [() => adamw({ epsilon: 0 }), 'ERR_OPTION', 'adamw: epsilon must be a finite number > 0, got 0'],
    [
      () => adamw({ betas: [0.9, 0.99] } as never),
      'ERR_OPTION',
      "adamw: there is no option 'betas'; there are beta1, beta2, epsilon",
    ],
  ])('refuses with a name (%#)', (make, code, message) => {
    expect(make).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }))
  })

  test('a group that cannot be made leaves no native memory behind', () => {
    const matrix = { name: 'w', shape: [2, 2], value: list(1, 2, 3, 4) }
    expect(() => make([{ params: [matrix], rule: shampoo() }, { rule: muon() }])).toThrow('muon: p1 has shape [2]')
    expect(device.memory().tensors).toBe(0)
  })

  test('no groups, groups without parameters', () => {
    const { optimizer } = make([{ params: [] }])
    optimizer.step([])
    expect(optimizer.describe()).toMatchObject({ bytes: 0, nativeCallsPerStep: 0 })
    expect(new Optimizer(device, []).parameters).toEqual([])
  })
})

describe('state dictionary', () => {
  const momentum = () => make([{ rule: sgd({ momentum: 0.5 }) }, { rule: adamw() }])

  test('is plain data with schema, version and step', () => {
    const { optimizer } = momentum()
    optimizer.step([list(1, 2), list(3, 4)])
    expect(optimizer.stateDict()).toEqual({
      schema: 'kronroot.optimizer',
      version: 1,
      step: 1,
      state: {
        'sgd:p0/buffer': list(1, 2),
        'sgd:p0/started': Float64Array.of(1),
        'adamw:p1/first': expect.any(Float32Array),
        'adamw:p1/second': expect.any(Float32Array),
        'adamw:p1/firstStart': Float64Array.of(0.9),
        'adamw:p1/secondStart': Float64Array.of(0.999),
      },
    })
  })

  test('a misfit lists every differing key and changes nothing, in no group', () => {
    const { optimizer } = momentum()
    optimizer.step([list(1, 2), list(3, 4)])
    const before = optimizer.stateDict()
    const { 'adamw:p1/first': _, ...rest } = before.state
    const state = { ...rest, 'sgd:p0/buffer': list(9, 9), 'adamw:p1/second': list(1), 'lion:p0/m': list(1, 2) }
    expect(() => optimizer.loadStateDict({ ...before, step: 7, state })).toThrow(
      expect.objectContaining({
        code: 'ERR_STATE',
        message:
          'state does not fit this optimizer: adamw:p1/first is missing; adamw:p1/second is f32[1], expected f32[2]; ' +
          'lion:p0/m is unknown here',
      }),
    )
    expect(optimizer.stateDict()).toEqual(before)
  })

  test('a single difference is enough', () => {
    const { optimizer } = momentum()
    const saved = optimizer.stateDict()
    const { 'sgd:p0/buffer': _, ...missing } = saved.state
    for (const state of [missing, { ...saved.state, extra: list(1) }, { ...saved.state, 'sgd:p0/buffer': list(1) }]) {
      expect(() => optimizer.loadStateDict({ ...saved, state })).toThrow(expect.objectContaining({ code: 'ERR_STATE' }))
    }
  })

  test.each([
    [{ schema: 'torch' }, "the state must be of kronroot.optimizer version 1, got 'torch' version 1"],
    [{ version: 2 }, "got 'kronroot.optimizer' version 2"],
    [{ step: 1.5 }, 'step must be an integer >= 0, got 1.5'],
    [{ state: { 'sgd:p0/buffer': [1, 2] } }, 'sgd:p0/buffer is [1, 2], expected a typed array'],
  ])('refuses %j', (change, message) => {
    const { optimizer } = momentum()
    const saved = { ...optimizer.stateDict(), ...change } as never
    expect(() => optimizer.loadStateDict(saved)).toThrow(
      expect.objectContaining({ code: 'ERR_STATE', message: expect.stringContaining(message) }),
    )
  })
})

describe('lifetime and reports', () => {
  test('dispose frees native memory, may be called again, and ends the optimizer', () => {
    const params = [{ name: 'w', shape: [4, 4], value: new Float32Array(16) }]
    const { optimizer } = make([{ params, rule: shampoo({ merge: 'none' }) }])
    expect(device.memory().tensors).toBe(6)
    optimizer.dispose()
    optimizer.dispose()
    expect(device.memory().tensors).toBe(0)
    for (const use of [() => optimizer.step([null]), () => optimizer.stateDict()]) {
      expect(use).toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }))
    }
  })

  test('describe: data and text', () => {
    const params = ['a', 'b'].map((name) => ({ name, shape: [8, 4], value: new Float32Array(32) }))
    const { optimizer } = make([
      { params, rule: shampoo({ merge: 'none', blockSize: 4, graft: adamw() }) },
      { params: [{ name: 'c', shape: [8, 4], value: new Float32Array(32) }], rule: muon() },
    ])
    const plan = optimizer.describe()
    optimizer.dispose()
    expect(plan.groups[0]).toMatchObject({
      rule: 'shampoo (graft adamw)',
      parameters: 2,
      elements: 64,
      buckets: [{ shape: [4, 4], blocks: 4, kernels: ['gram x 2', 'inverseRoot (auto) x 2', 'kronApply'] }],
      nativeCallsPerStep: 3,
      nativeCallsPerRefresh: 2,
    })
    expect(plan.groups[1]).toMatchObject({ rule: 'muon', nativeCallsPerStep: 1 })
    // Four blocks, two roots each of 4 n^3.
    expect(plan.flopsPerRefresh).toBe(4 * 2 * 4 * 64)
    expect(plan.text).toMatch(/^group 0: shampoo \(graft adamw\), 2 parameters, 64 elements, .* KiB, .* a step, \+ /)
    expect(plan.text).toContain('\n  4 x 4: 4 blocks -> gram x 2, inverseRoot (auto) x 2, kronApply')
  })

  test('report counts answers by rung and keeps the largest residual', () => {
    const params = [{ name: 'w', shape: [3, 3], value: new Float32Array(9) }]
    const { optimizer } = make([{ params, rule: shampoo({ merge: 'none' }) }])
    optimizer.step([list(4, 1, 0, 1, 3, 1, 0, 1, 2)])
    const { groups, failures } = optimizer.report()
    optimizer.dispose()
    expect(failures).toBe(0)
    expect(groups[0]!.solves.map(({ factor }) => factor)).toEqual(['3x3 dimension 0', '3x3 dimension 1'])
    for (const solve of groups[0]!.solves) {
      expect(solve).toMatchObject({ refreshes: 1, failures: 0, rungs: { chosen: 1 }, statuses: { ok: 1 } })
      expect(solve.residualMax).toBeLessThan(0.05)
    }
  })
})
