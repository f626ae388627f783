import { describe, expect, test } from 'vitest'
import { adamw, type GroupOptions, groupsByRole, type ModuleTree, modularNorm, muon } from '../../lib/optim/index.js'
import { modularScales } from '../../lib/optim/orthogonal/module-tree.js'

const parameter = (name: string, role: 'hidden' | 'embedding' | 'bias' | 'norm', shape = [2, 2]) => ({
  name,
  role,
  shape,
  value: new Float32Array(shape.reduce((product, dimension) => product * dimension, 1)),
})

describe('groupsByRole', () => {
  const vectors: GroupOptions = { rule: adamw(), lr: 1e-3, weightDecay: 0 }
  const table = { bias: vectors, hidden: { rule: muon(), lr: 0.02 }, norm: vectors, head: { rule: adamw(), lr: 1 } }

  test('a group for each entry that has parameters; equal entries share one', () => {
    const list = [parameter('a', 'hidden'), parameter('b', 'bias', [2]), parameter('c', 'norm', [2])]
    const groups = groupsByRole(list, table)
    expect(groups.map(({ params }) => params.map(({ name }) => name))).toEqual([['b', 'c'], ['a']])
    expect(groups[0]).toMatchObject({ lr: 1e-3, weightDecay: 0 })
    expect(groups[0]!.params[0]!.value).toBe(list[1]!.value)
    expect(groups[1]!.rule).toBe(table.hidden.rule)
  })

  test('a role without an entry is refused by the name of its parameter, and so is an unknown one', () => {
    expect(() => groupsByRole([parameter('table', 'embedding')], table)).toThrow(
      "groupsByRole: role of table must be one of 'bias', 'hidden', 'norm', 'head', got 'embedding'",
    )
    expect(() => groupsByRole([], { weight: vectors } as never)).toThrow("there is no option 'weight'")
  })
})

describe('modular scales', () => {
  const scales = (tree: ModuleTree) =>
    Object.fromEntries([...modularScales('test', tree)].map(([name, { scale }]) => [name, scale]))
  const hidden = (name: string, mass?: number): ModuleTree => ({
    parameter: name,
    role: 'hidden',
    ...(mass === undefined ? {} : { mass }),
  })

  test('in series: masses shared, sensitivities of what comes after', () => {
    const tree: ModuleTree = { series: [hidden('a'), { sensitivity: 0.5 }, hidden('b', 3), { sensitivity: 2 }] }
    expect(scales(tree)).toEqual({ a: 4 * 0.5 * 2, b: (4 / 3) * 2 })
  })

  test('composition is associative', () => {
    const [a, b, c] = [hidden('a'), hidden('b', 2), hidden('c', 5)]
    const bond = { sensitivity: 0.3 }
    const flat = scales({ series: [a, bond, b, bond, c] })
    const nested: readonly ModuleTree[] = [
      { series: [{ series: [a, bond] }, { series: [b, { series: [bond, c] }] }] },
      { series: [{ series: [a, bond, b] }, bond, c] },
    ]
    for (const tree of nested) {
      for (const [name, scale] of Object.entries(scales(tree))) expect(scale).toBeCloseTo(flat[name]!, 12)
    }
  })

  test('in parallel: sensitivities add; a mass of its own shifts the balance outside, not inside', () => {
    const block: ModuleTree = { parallel: [{ sensitivity: 1 }, { series: [hidden('b', 3), hidden('c')] }], mass: 2 }
    // Sensitivity 1 + 1 behind a, whose share is 1 of 3; in the block of 2 out of 3, 3 and 1 of 4.
    expect(scales({ series: [hidden('a'), block] })).toEqual({ a: 3 * 2, b: (3 / 2) * (4 / 3), c: (3 / 2) * 4 })
  })

  test.each<[unknown, string]>([
    [{ series: [] }, 'test: modules.series must be a list of modules, got []'],
    [{ sensitivity: 1 }, 'test: modules must be a tree with at least one parameter, got an object'],
    [{ series: [hidden('a'), hidden('a')] }, "test: modules must be a tree that names every parameter once, got 'a'"],
    [
      { series: [hidden('a'), { parallel: [{ parameter: 'b', role: 'weight' }] }] },
      "test: modules.series[1].parallel[0].role must be one of 'hidden', 'input', 'head', 'embedding', 'bias', 'norm', got 'weight'",
    ],
    [{ ...hidden('a'), mass: 0 }, 'test: modules.mass must be a finite number > 0, got 0'],
    [{ chain: [hidden('a')] }, "test: modules: there is no option 'chain'"],
  ])('%j is refused', (tree, message) => {
    expect(() => modularScales('test', tree as ModuleTree)).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringContaining(message) }),
    )
  })

  test('the tree names every parameter of the group', () => {
    const rule = modularNorm({ modules: { series: [hidden('a'), hidden('other')] } })
    expect(() =>
      rule.init(
        [
          { name: 'a', shape: [2, 2] },
          { name: 'b', shape: [2, 2] },
        ],
        {} as never,
      ),
    ).toThrow('modularNorm: modules must name every parameter, got none of b')
  })
})
