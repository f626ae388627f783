// The native module alone, as a foreign caller could reach it: whatever comes in, a typed error and no crash.
import { describe, expect, test } from 'vitest'
import { KronrootError } from '../../lib/index.js'
import { addon, addonFile, translated } from '../../lib/native/addon.js'

const native = addon()

function device(backend = 'cpu'): object {
  const object = {}
  native.openDevice(object, backend, 0, 0, undefined)
  return object
}

function tensor(on: object, rows: number, cols: number): object {
  const object = {}
  native.createTensor(object, on, 0, 1, rows, cols, 1)
  return object
}

function code(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    expect(error).toBeInstanceOf(Error)
    return (error as { code?: unknown }).code
  }
  return 'answered'
}

describe('handles', () => {
  test('objects of others are refused', () => {
    const own = device()
    const foreign = { wrapped: true }
    for (const value of [
      undefined,
      null,
      1,
      'x',
      Symbol('s'),
      1n,
      {},
      [],
      () => 1,
      foreign,
      new Proxy(own, {}),
      new Map(),
    ]) {
      expect(
        code(() => native.deviceMemory(value as object)),
        String(value),
      ).toBe('ERR_ARGUMENT')
      expect(code(() => native.disposeTensor(value as object))).toBe('ERR_ARGUMENT')
      expect(code(() => native.readTensor(value as object, new Float32Array(1)))).toBe('ERR_ARGUMENT')
    }
    expect(
      code(() => native.readTensor(own, new Float32Array(1))),
      'a device is no tensor',
    ).toBe('ERR_ARGUMENT')
    expect(
      code(() => native.deviceMemory(tensor(own, 1, 1))),
      'a tensor is no device',
    ).toBe('ERR_ARGUMENT')
    expect(
      code(() => native.deviceMemory(Object.create(own) as object)),
      'inheriting is not being',
    ).toBe('ERR_ARGUMENT')
  })

  test('an object is attached once', () => {
    const own = device()
    expect(code(() => native.openDevice(own, 'cpu', 0, 0, undefined))).toBe('ERR_ARGUMENT')
    const once = tensor(own, 2, 2)
    expect(code(() => native.createTensor(once, own, 0, 1, 2, 2, 0))).toBe('ERR_ARGUMENT')
    expect(native.deviceMemory(own)).toEqual({ bytes: 16, tensors: 1 })
    expect(code(() => native.createTensor(1 as unknown as object, own, 0, 1, 2, 2, 0))).toBe('ERR_ARGUMENT')
    expect(native.deviceMemory(own)).toEqual({ bytes: 16, tensors: 1 })
  })

  test('unknown backends, and sizes that overflow', () => {
    expect(code(() => native.openDevice({}, 'vulkan', 0, 0, undefined))).toBe('ERR_NO_DEVICE')
    const own = device()
    for (const [batch, rows, cols] of [
      [2 ** 53, 2 ** 53, 2 ** 53],
      [2 ** 40, 2 ** 40, 0.5],
      [-1, 1, 1],
      [2 ** 31, 2 ** 31, 1],
      [0, 2 ** 53, 2 ** 53],
    ] as const) {
      expect(['ERR_SHAPE', 'ERR_ARGUMENT', 'ERR_OUT_OF_MEMORY']).toContain(
        code(() => native.createTensor({}, own, 0, batch, rows, cols, 0)),
      )
    }
    expect(native.deviceMemory(own)).toEqual({ bytes: 0, tensors: 0 })
  })
})

describe('call', () => {
  const own = device()
  const [a, b, out] = [tensor(own, 2, 2), tensor(own, 2, 2), tensor(own, 2, 2)]
  const matmul = native.operations.indexOf('matmul')

  test('checks every argument itself', () => {
    expect(code(() => native.call(matmul, a, b, out, 0, 0, 0, 1, 0))).toBe('answered')
    expect(code(() => native.call(99, a, b, out))).toBe('ERR_ARGUMENT')
    expect(code(() => native.call(matmul, a, b, out, 0, 0, 0, 1, 'x' as unknown as number))).toBe('ERR_ARGUMENT')
    expect(code(() => native.call(matmul, a, null, out, 0, 0, 0, 1, 0))).toBe('ERR_ARGUMENT')
    expect(code(() => native.call(matmul, a, b, out))).toBe('ERR_ARGUMENT')
    expect(code(() => native.call(matmul, a, tensor(own, 3, 3), out, 0, 0, 0, 1, 0))).toBe('ERR_SHAPE')
    expect(code(() => native.call(matmul, a, b, b, 0, 0, 0, 1, 0))).toBe('ERR_ALIAS')
    expect(code(() => native.call(matmul, a, tensor(device('reference'), 2, 2), out, 0, 0, 0, 1, 0))).toBe(
      'ERR_ARGUMENT',
    )
  })

  test('20,000 calls with random garbage', async () => {
    const double = {}
    native.createTensor(double, own, 1, 3, 2, 2, 1)
    const gone = tensor(own, 2, 2)
    native.disposeTensor(gone)
    const pool: unknown[] = [a, b, out, double, gone, tensor(own, 0, 0), tensor(own, 3, 1), own, null, undefined, {}]
    pool.push(0, 0, 1, 1, 2, -1, 0.5, Number.NaN, Infinity, 2 ** 31, -(2 ** 31), 2 ** 53, '2', 7n, true, Symbol('s'))
    pool.push(new Float64Array(3), new Float64Array(0), new Float32Array(9), new ArrayBuffer(8), [], () => 1)
    let state = 99
    const pick = <T>(choices: readonly T[]): T => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0
      return choices[(state >>> 8) % choices.length]!
    }
    const pending: Promise<unknown>[] = []
    const outcomes = new Map<unknown, number>()
    for (let i = 0; i < 20_000; i++) {
      const args = Array.from({ length: pick([0, 2, 5, 9, 12, 16, 30]) }, () => pick(pool)) as number[]
      const op = pick([0, 1, 2, 3, 4, 5, 6, 7, 8])
      const outcome = code(() => {
        if (i % 8) return native.call(op, ...args)
        const [number, done] = native.submit(op, ...args)
        native.cancel(number)
        pending.push(done.catch((error: { code: string }) => expect(error.code).toMatch(/^ERR_/)))
        return undefined
      })
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }
    await Promise.all(pending)
    for (const outcome of outcomes.keys()) expect(outcome).toMatch(/^(answered|ERR_[A-Z_]+)$/)
    expect(outcomes.get('ERR_INTERNAL')).toBeUndefined()
    expect(outcomes.get('ERR_ARGUMENT')).toBeGreaterThan(1000)
  })

  test('unknown numbers are nothing to cancel', () => {
    expect(code(() => native.cancel(4_000_000_000))).toBe('answered')
    expect(code(() => native.cancel(-1))).toBe('ERR_ARGUMENT')
  })
})

test('KRONROOT_BINARY says where the module is', () => {
  const before = process.env.KRONROOT_BINARY
  process.env.KRONROOT_BINARY = 'some/where.node'
  expect(addonFile()).toMatch(/\/some\/where\.node$/)
  delete process.env.KRONROOT_BINARY
  expect(addonFile()).toMatch(/\/build\/Release\/kronroot\.node$/)
  if (before !== undefined) process.env.KRONROOT_BINARY = before
})

test('errors of the native module become KronrootErrors, others stay what they are', () => {
  const error = translated(Object.assign(new Error('a: gone'), { code: 'ERR_DEVICE_LOST' }))
  expect(error).toBeInstanceOf(KronrootError)
  expect(error).toMatchObject({ code: 'ERR_DEVICE_LOST', message: 'a: gone' })
  for (const other of [new TypeError('x'), 'thrown', undefined, error]) expect(translated(other)).toBe(other)
})
