// Rows, ratios, tables and the timing of contenders.
import { describe, expect, it } from 'vitest'
import { parse, studies, subjects } from '../../bench/arguments.js'
import { interleaved, quantile, summary } from '../../bench/harness.js'
import { draw, plots } from '../../bench/plots.js'
import { measured } from '../../bench/row.js'
import { formatSlope, slopes } from '../../bench/scaling.js'
import { formatRow, header, milliseconds } from '../../bench/table.js'
import { formatVerdict, verdicts } from '../../bench/targets.js'
import { stretches } from '../../bench/tune.js'

const subject = { op: 'eigh', n: 64, batch: 8, dtype: 'f32', condition: 1e4, device: 'cpu', isa: 'avx2' } as const
const own = { method: 'eigh', ms: 2, spread: 0.01, error: 0.5, flop: 4e6 }
const peer = { name: 'openblas', ms: 5, spread: 0.02, error: 0.7 }

describe('a row', () => {
  it('has exactly the fields of the schema, in order', () => {
    const { row } = measured(subject, own, peer, 8e9)
    expect(Object.keys(row)).toEqual(
      'op n batch dtype condition device isa method ms peer peerMs ratio error peerError peakFraction'.split(' '),
    )
  })

  it('has ratio = peerMs / ms and the fraction of the peak', () => {
    const { row, spread } = measured(subject, own, peer, 8e9)
    expect(row).toMatchObject({ ms: 2, peer: 'openblas', peerMs: 5, ratio: 2.5, error: 0.5, peerError: 0.7 })
    // 4e6 flop in 2 ms are 2e9 flop/s.
    expect(row.peakFraction).toBe(0.25)
    expect(spread).toEqual({ own: 0.01, peer: 0.02 })
  })

  it('has nulls, and survives JSON, where there is no peer, no peak or no count', () => {
    const { row } = measured(subject, { ...own, flop: null, error: null }, null, null)
    expect(row).toMatchObject({
      peer: null,
      peerMs: null,
      ratio: null,
      error: null,
      peerError: null,
      peakFraction: null,
    })
    expect(JSON.parse(JSON.stringify(row))).toEqual(row)
    expect(measured(subject, own, peer, null).row.peakFraction).toBeNull()
  })
})

describe('the table', () => {
  it('aligns every row with the header', () => {
    const line = formatRow(measured(subject, own, peer, 8e9))
    for (const [title, value] of [
      ['ratio', '2.50'],
      ['peak%', '25.0'],
      ['error', '5.0e-1'],
    ] as const)
      expect(line.indexOf(value) + value.length).toBe(header().indexOf(title) + title.length)
  })

  it('writes times with four digits and without exponents', () => {
    expect([12345.6, 1.23456, 0.000123456, 0.00000123456, 1.2e-7].map(milliseconds)).toEqual([
      '12346',
      '1.235',
      '0.0001235',
      '0.000001235',
      '0.0000001',
    ])
  })
})

describe('timing', () => {
  it('gives medians and quartiles', () => {
    expect(quantile([1, 2, 3, 10], 0.5)).toBe(2.5)
    expect(summary([5, 1, 3, 2, 4])).toEqual({ median: 3, spread: 1 / 3, samples: 5 })
    expect(summary([1, 2]).spread).toBeNull()
  })

  it('takes turns, counts rounds, repeats short calls and waits for promises', async () => {
    const order: string[] = []
    const rounds: number[] = []
    const busy = (name: string, ms: number) => {
      order.push(name)
      const end = performance.now() + ms
      while (performance.now() < end);
    }
    const timings = await interleaved(
      [
        {
          name: 'sync',
          run: (round) => {
            rounds.push(round)
            busy('a', 2)
          },
        },
        {
          name: 'async',
          run: async () => {
            await new Promise((resolve) => setImmediate(resolve))
            busy('b', 4)
          },
        },
      ],
      { seconds: 0.04, minimum: 3 },
    )
    expect(timings.map(({ name }) => name)).toEqual(['sync', 'async'])
    expect(rounds).toEqual(rounds.map((_, i) => i))
    expect(timings[0]!.median).toBeGreaterThanOrEqual(2)
    expect(timings[1]!.median).toBeGreaterThanOrEqual(4)
    for (const { samples } of timings) expect(samples).toBeGreaterThanOrEqual(3)
    // Two warm-up calls each, then turn by turn in changing order.
    expect(order.slice(0, 8).join('')).toBe('aabbabba')
  })

  it('gives a contender that exceeds its budget one sample', async () => {
    let calls = 0
    const slow = () => {
      calls++
      return new Promise<void>((resolve) => setTimeout(resolve, 30))
    }
    const [timing] = await interleaved([{ name: 'slow', run: slow }], { seconds: 0.005, minimum: 20 })
    expect(timing!.samples).toBe(1)
    expect(calls).toBe(1)
  })
})

describe('arguments', () => {
  it('knows every subject, all of them, and both flags', () => {
    for (const name of subjects)
      expect(parse([name, '--json'])).toEqual({
        chosen: [name],
        accuracy: false,
        study: undefined,
        quick: false,
        json: true,
      })
    expect(parse(['accuracy'])).toMatchObject({ chosen: [], accuracy: true })
    for (const study of studies) expect(parse([study])).toMatchObject({ chosen: [], study })
    expect(parse(['--quick', 'all'])).toEqual({
      chosen: subjects,
      accuracy: false,
      study: undefined,
      quick: true,
      json: false,
    })
  })

  it('answers anything else with one line that lists the subjects', () => {
    for (const argv of [[], ['svd'], ['eigh', 'gemm'], ['eigh', '--fast']]) {
      const answer = parse(argv)
      expect(answer).toMatch(
        /^[^\n]*subjects: all, accuracy, eigh, inverse-root, [a-z, -]*overhead, optimizer-step, training$/,
      )
    }
  })
})

describe('verdicts', () => {
  const rowOf = (fields: object) => ({
    ...measured(subject, own, peer, 8e9).row,
    ...fields,
  })

  it('grade what rows reached of their targets', () => {
    const rows = [
      rowOf({ n: 64, ratio: 5.5 }),
      rowOf({ n: 32, ratio: 8.4 }),
      rowOf({ n: 32, ratio: 99, peer: 'jax-js' }),
      rowOf({ op: 'inverse root 1/4', n: 256, method: 'eigh', ratio: 9 }),
      rowOf({ op: 'inverse root 1/4', n: 256, method: 'auto: minimax', ratio: 3.5 }),
      rowOf({ op: 'inverse root 1/4', n: 128, condition: 1e6, method: 'auto: eigh', ratio: 3.5 }),
      rowOf({ op: 'matmul, 1 thread', n: 512, peakFraction: 0.75 }),
    ]
    expect(verdicts(rows).map(formatVerdict)).toEqual([
      'MISSED  eigh f32 n = 32: 8.40x openblas (must 8.5, stretch 12)',
      'must    eigh f32 n = 64: 5.50x openblas (must 5, stretch 8)',
      'stretch inverse root 1/4 f32 1e+4 auto n = 256: 3.50x openblas (must 2, stretch 3)',
      'MISSED  matmul, 1 thread f32 n = 512: 0.75 of the peak (must 0.8, stretch 0.9)',
    ])
  })
})

describe('plots', () => {
  it('draw ours, the peer and the peak, where there are points', () => {
    const rows = [16, 64, 256].map((n) => ({
      ...measured(subject, own, { ...peer }, 8e9).row,
      n,
      dtype: 'f32' as const,
    }))
    const [plot, ...rest] = plots([...rows, { ...rows[0]!, peer: 'jax-js' }])
    expect(rest).toEqual([])
    expect(plot).toMatchObject({ file: 'eigh-f32', rows })
    const svg = draw(plot!)
    for (const text of ['kronroot', 'openblas', 'peak', 'eigh, f32', '100 %']) expect(svg).toContain(text)
  })
})

describe('tuning', () => {
  it('finds every stretch of orders at which a route is the faster', () => {
    expect(stretches([true, true, false, true, false, false, true])).toEqual([
      [0, 1],
      [3, 3],
      [6, 6],
    ])
    expect(stretches([false, false])).toEqual([])
  })
})

describe('slopes', () => {
  it('compare neighbours with n^3 and with the batch', () => {
    const at = (n: number, batch: number, ms: number) =>
      measured({ ...subject, n, batch }, { ...own, method: 'scaling', ms }, null, null)
    const found = slopes([at(128, 4, 1), at(256, 4, 16), at(64, 64, 1), at(64, 256, 3)])
    expect(found.map(formatSlope)).toEqual([
      'eigh, n 128 to 256: exponent 4.00, 2.00 of n^3',
      'eigh, batch 64 to 256: exponent 0.79, 0.75 of batch',
    ])
  })
})
