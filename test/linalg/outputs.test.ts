// `out` of the ops with several outputs: the tensors given are the result, with the bits of a fresh one.
import { expect, test } from 'vitest'
import { eigh, qr, type Report, svd, type Tensor } from '../../lib/index.js'
import { onEveryDevice, type Subject } from './devices.js'

type Outputs = Readonly<Record<string, Tensor | undefined>>
type Answer = Outputs & { readonly report: Report }

interface Op {
  readonly name: string
  readonly run: (a: Tensor, out?: Outputs, onFailure?: string) => unknown
  readonly async: (a: Tensor, out?: Outputs) => Promise<unknown>
  readonly shape: (n: number) => readonly number[]
}

const as = <T>(value: unknown) => value as T
const square = (n: number) => [n, n]
const wide = (n: number) => [n, n + 2]
const ops: readonly Op[] = [
  {
    name: 'eigh',
    run: (a, out, onFailure) => eigh(a, { out: as(out), onFailure: as(onFailure) }),
    async: (a, out) => eigh.async(a, { out: as(out) }),
    shape: square,
  },
  {
    name: 'eigh, values alone',
    run: (a, out, onFailure) => eigh(a, { vectors: false, out: as(out), onFailure: as(onFailure) }),
    async: (a, out) => eigh.async(a, { vectors: false, out: as(out) }),
    shape: square,
  },
  ...(['reduced', 'complete', 'r'] as const).map((mode) => ({
    name: `qr, ${mode}`,
    run: (a: Tensor, out?: Outputs, onFailure?: string) => qr(a, { mode, out: as(out), onFailure: as(onFailure) }),
    async: (a: Tensor, out?: Outputs) => qr.async(a, { mode, out: as(out) }),
    shape: wide,
  })),
  ...[true, false].map((vectors) => ({
    name: vectors ? 'svd' : 'svd, values alone',
    run: (a: Tensor, out?: Outputs, onFailure?: string) => svd(a, { vectors, out: as(out), onFailure: as(onFailure) }),
    async: (a: Tensor, out?: Outputs) => svd.async(a, { vectors, out: as(out) }),
    shape: wide,
  })),
]

const parts = (answer: unknown): [string, Tensor][] => {
  const { report: _, ...outputs } = answer as Answer
  return Object.entries(outputs).filter((entry): entry is [string, Tensor] => entry[1] !== undefined)
}

onEveryDevice('out', ({ device, dtype, tensor }: Subject) => {
  /** Stale tensors of the shapes of an answer. */
  const like = (answer: unknown): Record<string, Tensor> =>
    Object.fromEntries(parts(answer).map(([name, { shape, size }]) => [name, tensor(Array(size).fill(7), shape)]))

  /** [batch, ...]: symmetric where square; matrix 1 has an infinity where it is to fail. */
  const matrices = (shape: readonly number[], batch: number, fails: boolean): Tensor => {
    const [m, n] = shape as [number, number]
    const elements = Array.from({ length: batch * m * n }, (_, at) => {
      const [i, j] = [Math.floor((at % (m * n)) / n), at % n]
      return Math.cos(i * j + i + j) + (i === j ? 3 : 0)
    })
    if (fails) elements[m * n] = Infinity
    return tensor(elements, [batch, m, n])
  }

  test.each(ops)('$name: the tensors given, with the bits of fresh ones', async ({ run, async, shape }) => {
    for (const n of [1, 4, 40]) {
      const a = matrices(shape(n), 3, false)
      const fresh = run(a) as Answer
      for (const call of [run, async]) {
        const out = like(fresh)
        const answer = (await call(a, out)) as Answer
        expect(answer.report.ok).toBe(true)
        expect(Object.fromEntries(parts(answer))).toEqual(out)
        for (const [name, given] of Object.entries(out)) {
          expect(answer[name]).toBe(given)
          expect(given.data()).toEqual(fresh[name]!.data())
        }
      }
    }
  })

  test.each(ops)('$name: a failed matrix', ({ run, shape }) => {
    for (const n of [4, 40]) {
      const a = matrices(shape(n), 3, true)
      const fresh = run(a) as Answer
      for (const onFailure of [undefined, 'keep', 'nan', 'throw'] as const) {
        const out = like(fresh)
        const failed = onFailure === 'nan' ? Number.NaN : 7
        if (onFailure === 'throw') expect(() => run(a, out, onFailure)).toThrow('1 of 3 matrices failed')
        else run(a, out, onFailure)
        for (const [name, given] of Object.entries(out)) {
          const [expected, size] = [fresh[name]!.data(), given.size / 3]
          expected.fill(failed, size, 2 * size)
          expect(given.data()).toEqual(expected)
        }
      }
    }
  })

  test('a result beyond the range of the dtype leaves all outputs', () => {
    const most = dtype === 'f32' ? 3.4e38 : 1.7e308
    for (const { run } of ops) {
      const a = tensor(Array(16).fill(most), [4, 4])
      const fresh = run(a) as Answer
      expect(fresh.report.status).toEqual(['overflow'])
      const out = like(fresh)
      run(a, out)
      for (const given of Object.values(out)) expect([...given.data()]).toEqual(Array(given.size).fill(7))
    }
  })

  test('a refresh with values of its own', () => {
    const a = matrices([4, 4], 2, false)
    const { values, vectors } = eigh(a)
    const own = tensor(Array(8).fill(7), [2, 4])
    const again = eigh(a, { refresh: { otherwise: 'decompose', basis: vectors! }, out: { values: own } })
    expect(again.report.method).toEqual(['kept-basis', 'kept-basis'])
    expect([again.values, again.vectors]).toEqual([own, vectors])
    expect(again.values).toBe(own)
    values.data().forEach((value, i) => {
      expect(own.data()[i]).toBeCloseTo(value, 5)
    })

    const bad = matrices([4, 4], 2, true)
    const before = [...vectors!.data()]
    const { report } = eigh(bad, { refresh: { otherwise: 'decompose', basis: vectors! }, out: { values: own } })
    expect(report.status).toEqual(['ok', 'non_finite_input'])
    expect([...vectors!.data()].slice(16)).toEqual(before.slice(16))
  })

  test('undefined fields are absent', () => {
    const a = matrices([3, 3], 1, false)
    const [values, r] = [device.empty([1, 3], { dtype }), device.empty([1, 3, 3], { dtype })]
    expect(eigh(a, { vectors: false, out: { values, vectors: undefined } }).values).toBe(values)
    expect(qr(a, { mode: 'r', out: { q: undefined, r } }).r).toBe(r)
  })
})
