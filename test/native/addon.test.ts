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

// Keeps the tensors that are made here from being collected.
const objects: object[] = []

function tensor(on: object, rows: number, cols: number): number {
  const object = {}
  objects.push(object)
  return native.createTensor(object, on, 0, 1, rows, cols, 1)
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
    }
    expect(
      code(() => native.deviceMemory(tensor(own, 1, 1) as unknown as object)),
      'a tensor is no device',
    ).toBe('ERR_ARGUMENT')
    expect(
      code(() => native.deviceMemory(Object.create(own) as object)),
      'inheriting is not being',
    ).toBe('ERR_ARGUMENT')
  })

  test('what is no number of a tensor is refused', () => {
    const own = device()
    const last = tensor(own, 1, 1)
    for (const value of [
      undefined,
      null,
      'x',
      Symbol('s'),
      1n,
      {},
      Object(last),
      own,
      () => 1,
      0,
      -last,
      -0,
      last + 1,
      last - 0.5,
      Number.NaN,
      Infinity,
      2 ** 53,
      2 ** 64 + 2,
    ]) {
      const given = value as number
      const into = new Float32Array(1)
      expect(code(() => native.disposeTensor(given))).toBe('ERR_ARGUMENT')
      expect(code(() => native.readTensor(given, into))).toBe('ERR_ARGUMENT')
      expect(code(() => native.writeTensor(given, into))).toBe('ERR_ARGUMENT')
    }
    expect(code(() => native.readTensor(last, new Float32Array(1)))).toBe('answered')
  })

  test('a disposed tensor is known as such, and its number is not used again', () => {
    const own = device()
    const gone = tensor(own, 1, 1)
    native.disposeTensor(gone)
    expect(native.deviceMemory(own)).toEqual({ bytes: 0, tensors: 0 })
    expect(tensor(own, 1, 1)).toBeGreaterThan(gone)
    expect(code(() => native.disposeTensor(gone))).toBe('answered')
    expect(code(() => native.readTensor(gone, new Float32Array(1)))).toBe('ERR_DISPOSED')
    expect(native.deviceMemory(own)).toEqual({ bytes: 4, tensors: 1 })
  })

  test('an object is attached once to a device, and a tensor needs one', () => {
    const own = device()
    expect(code(() => native.openDevice(own, 'cpu', 0, 0, undefined))).toBe('ERR_ARGUMENT')
    for (const value of [1, undefined, 'x']) {
      expect(code(() => native.createTensor(value as unknown as object, own, 0, 1, 2, 2, 0))).toBe('ERR_ARGUMENT')
    }
    expect(native.deviceMemory(own)).toEqual({ bytes: 0, tensors: 0 })
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
    const keep = {}
    const double = native.createTensor(keep, own, 1, 3, 2, 2, 1)
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
    objects.push(keep)
    for (const outcome of outcomes.keys()) expect(outcome).toMatch(/^(answered|ERR_[A-Z_]+)$/)
    expect(outcomes.get('ERR_INTERNAL')).toBeUndefined()
    expect(outcomes.get('ERR_ARGUMENT')).toBeGreaterThan(1000)
  })

  test('the report of one matrix lies in the record, which the next call overwrites', async () => {
    const cholesky = native.operations.indexOf('cholesky')
    const call = (x: number) => native.call(cholesky, x, out, 0, 0, 0)
    const status = () => new Int32Array(native.record)[0]
    const square = tensor(own, 2, 2)
    native.writeTensor(square, Float32Array.of(4, 0, 0, 9))
    expect(call(square)).toBe(native.record)
    expect(status()).toBe(0)
    expect(call(tensor(own, 2, 2))).toBe(native.record)
    expect(status()).toBe(17)
    const several = native.createTensor(own, own, 0, 2, 2, 2, 1)
    const records = native.call(cholesky, several, native.createTensor(own, own, 0, 2, 2, 2, 1), 0, 0, 0)!
    expect(records).not.toBe(native.record)
    expect((records as ArrayBuffer).byteLength).toBe(80)
    // An asynchronous call has records of its own.
    const [, done] = native.submit(cholesky, square, out, 0, 0, 0)
    expect(await done).not.toBe(native.record)
    expect(status()).toBe(17)
    expect(native.call(matmul, a, b, out, 0, 0, 0, 1, 0)).toBeUndefined()
  })

  test('a record that was transferred away is not written', () => {
    const cholesky = native.operations.indexOf('cholesky')
    const away = structuredClone(native.record, { transfer: [native.record] })
    const before = [...new Int32Array(away)]
    const square = tensor(own, 2, 2)
    native.writeTensor(square, Float32Array.of(4, 0, 0, 9))
    const records = native.call(cholesky, square, out, 0, 0, 0)!
    expect(records).not.toBe(native.record)
    expect(new Int32Array(records as ArrayBuffer)[0]).toBe(0)
    expect([...new Int32Array(away)]).toEqual(before)
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
