// A contest pairs our variants with peers, scales peers that compute a part of the batch, and knows the peak.
import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { type Contest, type Context, hold, type Own, type Peer } from '../../bench/contest.js'
import { describeMachine } from '../../bench/machine.js'
import { open } from '../../lib/index.js'

const wait = (ms: number) => {
  const end = performance.now() + ms
  while (performance.now() < end);
}

function context(): Context {
  const device = open('cpu', { threads: 1 })
  const machine = { ...describeMachine(device, undefined, null), peak: { f32: 1e9, f64: 5e8, bf16: 4e9 } }
  const budget = { seconds: 0.03, minimum: 3 }
  return {
    quick: true,
    budget,
    device,
    reference: device,
    machine,
    openblas: undefined,
    mlMatrix: undefined,
    jax: undefined,
    log() {},
  }
}

const variant = (method: string, ms: number): Own => ({
  method,
  run: () => wait(ms),
  error: () => 1e-7,
  flop: () => 1e6,
})
const contest = (own: Own[], peers: Peer[]): Contest => ({
  op: 'matmul',
  n: 4,
  batch: 8,
  dtype: 'f64',
  condition: null,
  own,
  peers,
})

describe('a contest', () => {
  it('gives one row for each variant and peer it is compared with', async () => {
    const [a, b] = [variant('a', 2), variant('b', 4)]
    const whole: Peer = { name: 'whole', matrices: 8, run: () => wait(4), error: async () => 2e-7 }
    const part: Peer = { name: 'part', matrices: 2, against: [a], run: () => wait(2), error: () => null }
    const rows = await hold(contest([a, b], [whole, part]), context())
    expect(rows.map(({ row }) => [row.method, row.peer, row.error, row.peerError])).toEqual([
      ['a', 'whole', 1e-7, 2e-7],
      ['a', 'part', 1e-7, null],
      ['b', 'whole', 1e-7, 2e-7],
    ])
    const [first, second] = rows.map(({ row }) => row)
    // `part` computed 2 of 8 matrices in 2 ms: 8 ms for the batch.
    expect(second!.peerMs).toBeGreaterThanOrEqual(8)
    expect(second!.ratio).toBe(second!.peerMs! / second!.ms)
    expect(first!.ms).toBe(second!.ms)
    // 1e6 flop in ms milliseconds over a peak of 5e8.
    expect(first!.peakFraction).toBeCloseTo(2 / first!.ms, 12)
  })

  it('counts a variant against the peak of its operands', async () => {
    const rounded: Own = { ...variant('rounded', 1), operands: 'bf16' }
    const [measured] = await hold(contest([rounded], []), context())
    const { row } = measured!
    // 1e6 flop in ms milliseconds over a peak of 4e9.
    expect(row.peakFraction).toBeCloseTo(0.25 / row.ms, 12)
  })

  it('without peers gives one row for each variant', async () => {
    const rows = await hold(contest([variant('alone', 1)], []), context())
    expect(rows.map(({ row }) => [row.method, row.peer, row.ratio])).toEqual([['alone', null, null]])
  })
})

describe('npm run bench', () => {
  it('answers an unknown subject with the list and exit code 2', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/bench.mjs', 'svd'], { encoding: 'utf8' })
    expect(stderr).toContain('unknown subject svd')
    expect(stderr).toMatch(/subjects: all, accuracy, eigh, inverse-root, .*overhead/)
    expect(stdout).toBe('')
    expect(status).toBe(2)
  })
})
