import { afterAll, describe, expect, test } from 'vitest'
import { open } from '../../lib/device.js'
import { finiteOnly, updateAll } from '../../lib/optim/elementwise.js'

const device = open('cpu')
afterAll(() => device.dispose())

describe('finiteOnly', () => {
  const largest = 3.4028234663852886e38
  test.each<[number[], boolean]>([
    [[], true],
    [[0, -1, 2], true],
    [new Array(1000).fill(largest), true],
    [[1, Number.NaN, 1], false],
    [[Number.POSITIVE_INFINITY], false],
    [[Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], false],
  ])('%#', (values, expected) => {
    const gradient = Float32Array.from(values)
    const other = new Float32Array(2)
    expect(finiteOnly(device, [null, gradient, other])).toEqual([null, expected ? gradient : null, other])
  })

  test('nothing to look at', () => expect(finiteOnly(device, [null, null])).toEqual([null, null]))
})

test('updateAll leaves out what has no gradient', () => {
  const [x, y] = [Float32Array.of(1, 2), Float32Array.of(3)]
  updateAll(device, 'combine', [
    { gradient: x, direction: x, fromGradient: 2 },
    null,
    { gradient: y, direction: y, fromGradient: -1 },
  ])
  expect([...x, ...y]).toEqual([2, 4, -3])
  updateAll(device, 'combine', [null])
})
