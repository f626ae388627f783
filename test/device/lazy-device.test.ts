// The addon on a device that does nothing before it is waited for (test/addon/lazy_plugin.cpp, which `npm test` builds): what
// is enqueued, what waits, what is given back, and what a lost device leaves working.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { cholesky, type Device, elementwiseUpdate, inverseRoot, matmul, open, reduce } from '../../lib/index.js'
import { expectRefused, expectRejected } from '../refusal.js'

const plugin = resolve(import.meta.dirname, '../../build-cmake/dev/libkronroot_lazy.so')
const folder = mkdtempSync(join(tmpdir(), 'kronroot-lazy-'))
const log = join(folder, 'log')
const settings = [
  'KRONROOT_CUDA_PLUGIN',
  'KRONROOT_LAZY_LOG',
  'KRONROOT_LAZY_LOSE',
  'KRONROOT_LAZY_SPACE',
  'KRONROOT_LAZY_DELAY',
]
const before = settings.map((name) => process.env[name])

/** The names of the backend's calls since the last look. */
function calls(): string[] {
  const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n').filter(Boolean) : []
  writeFileSync(log, '')
  return lines
}

let device: Device
beforeEach(() => {
  for (const name of settings) delete process.env[name]
  process.env.KRONROOT_CUDA_PLUGIN = plugin
  process.env.KRONROOT_LAZY_LOG = log
  device = open(existsSync(plugin) ? 'cuda' : 'cpu')
  calls()
})
afterEach(() => device.dispose())
afterAll(() => {
  rmSync(folder, { recursive: true })
  settings.forEach((name, i) => {
    if (before[i] === undefined) delete process.env[name]
    else process.env[name] = before[i]
  })
})

const positive = [4, 1, 1, 3]
const indefinite = [1, 2, 2, 1]

describe.skipIf(!existsSync(plugin))('a device with memory of its own', () => {
  test('is opened by ordinal and stream, and by auto', () => {
    expect(device.kind).toBe('cuda')
    expect(device.stream).toBeGreaterThan(0n)
    const given = open('cuda:1', { stream: 0x1234n })
    expect(given.stream).toBe(0x1234n)
    given.dispose()
    const auto = open()
    expect([auto.kind, auto.reason]).toEqual(['cuda', 'auto chose cuda: it opens'])
    auto.dispose()
    expectRefused(() => open('cuda:2'), 'ERR_NO_DEVICE', /^open: ordinal: the driver shows 2 devices/)
  })

  test('memory() says what is free', () => {
    const tensor = device.empty([8, 8])
    expect(device.memory()).toEqual({ bytes: 256, tensors: 1, free: 2 ** 30 - 256, total: 2 ** 30 })
    tensor.dispose()
    expect(device.memory()).toMatchObject({ bytes: 0, tensors: 0, free: 2 ** 30 })
  })

  test('calls enqueue; the first read of a report fetches it, once, and gives its memory back', () => {
    const a = device.tensor([...positive, ...indefinite], [2, 2, 2])
    calls()
    const { value, report } = cholesky(a)
    expect(report.length).toBe(2)
    expect(calls()).toEqual(['allocate', 'allocate', 'cholesky', 'fill_failed'])
    const { free } = device.memory()
    expect(report.status).toEqual(['ok', 'not_positive_definite'])
    expect(calls()).toEqual(['download', 'run cholesky', 'run fill_failed', 'release'])
    expect(device.memory().free! - free!).toBe(2 * 40)
    expect([report.failed, report.ok, report.detail[1]]).toEqual([[1], false, 1])
    expect(calls()).toEqual([])
    const elements = value.data()
    expect(elements[0]).toBe(2)
    expect([...elements.slice(4)]).toEqual([NaN, NaN, NaN, NaN])
  })

  test("onFailure: 'keep' fills nothing, 'throw' waits", () => {
    const a = device.tensor(indefinite, [2, 2])
    const out = device.tensor([7, 7, 7, 7], [2, 2])
    calls()
    cholesky(a, { out })
    expect(calls()).not.toContain('fill_failed')
    expect([...out.data()]).toEqual([7, 7, 7, 7])
    expect(() => cholesky(a, { onFailure: 'throw' })).toThrow(/1 of 1 matrices failed/)
  })

  test('what is enqueued outlives its tensors', () => {
    const a = device.tensor(positive, [2, 2])
    const product = matmul(a, a)
    a.dispose()
    const overwriting = device.tensor([9, 9, 9, 9], [2, 2])
    expect([...product.data()]).toEqual([17, 7, 7, 10])
    overwriting.dispose()
  })

  test('asynchronous calls resolve when everything is there', async () => {
    const a = device.tensor(positive, [2, 2])
    calls()
    const { value, report } = await inverseRoot.async(a)
    expect(calls()).toEqual([
      'allocate',
      'allocate',
      'inverse_root',
      'fill_failed',
      'download',
      'run inverse_root',
      'run fill_failed',
      'release',
    ])
    expect(report.status).toEqual(['ok'])
    expect(calls()).toEqual([])
    expect((await value.dataAsync())[0]).toBeCloseTo(0.5158, 4)
    calls()
    await matmul.async(a, a)
    expect(calls()).toEqual(['allocate', 'matmul', 'synchronize', 'run matmul'])
  })

  test('dataAsync and synchronize leave the event loop free', async () => {
    const a = device.tensor(positive, [2, 2])
    const product = matmul(a, a)
    process.env.KRONROOT_LAZY_DELAY = '100'
    let ticks = 0
    const timer = setInterval(() => ticks++, 5)
    const reading = product.dataAsync()
    expectRefused(() => product.write(new Float32Array(4)), 'ERR_ALIAS')
    expect([...(await reading)]).toEqual([17, 7, 7, 10])
    await device.synchronize()
    clearInterval(timer)
    expect(ticks).toBeGreaterThan(5)
    product.write(new Float32Array(4))
  })

  test('a tensor may be disposed while it is read', async () => {
    const a = device.tensor(positive, [2, 2])
    const reading = a.dataAsync()
    a.dispose()
    expect([...(await reading)]).toEqual(positive)
    await expectRejected(a.dataAsync(), 'ERR_DISPOSED')
  })

  test('typed arrays go there and come back, with their overlaps', () => {
    const w = Float32Array.of(1, 2, 3)
    const gradient = Float32Array.of(1, 1, 1)
    expect(
      elementwiseUpdate(device, 'combine', [{ gradient, direction: gradient, fromGradient: 2, lr: 0.5, w }]),
    ).toEqual([true])
    expect([[...w], [...gradient]]).toEqual([
      [0, 1, 2],
      [2, 2, 2],
    ])
    const m = device.tensor([1, 1, 1], [3])
    const finite = elementwiseUpdate(device, 'momentum', [{ gradient, m, mDecay: 0.5, mWeight: 1, fromM: 1, lr: 1, w }])
    expect(finite).toEqual([true])
    expect([...m.data()]).toEqual([2.5, 2.5, 2.5])
    expect([...w]).toEqual([-2.5, -1.5, -0.5])
    expect([...reduce(device, 'dot', [{ x: gradient }, { x: m, y: gradient }, { x: new Float32Array(0) }])]).toEqual([
      12, 15, 0,
    ])
    expect(elementwiseUpdate(device, 'combine', [])).toEqual([])
    expect(device.memory()).toMatchObject({ bytes: 12, tensors: 1, free: 2 ** 30 - 12 })
  })

  test('a disposed device takes its unread reports along', () => {
    const other = open('cuda')
    const { report } = cholesky(other.tensor(positive, [2, 2]))
    calls()
    other.dispose()
    expect(calls()).toEqual(['release', 'release', 'release', 'close', 'run cholesky', 'run fill_failed'])
    expectRefused(() => report.status, 'ERR_DISPOSED', /report: the device was disposed before it was read/)
    expect(report.length).toBe(1)
  })

  test('reports that nobody reads are given back when they are collected', async () => {
    const a = device.tensor(positive, [2, 2])
    const out = device.empty([2, 2])
    for (let i = 0; i < 200; i++) cholesky(a, { out })
    expect(device.memory().free).toBe(2 ** 30 - 32 - 200 * 40)
    for (let i = 0; i < 50 && device.memory().free !== 2 ** 30 - 32; i++) {
      globalThis.gc!()
      await new Promise((resolved) => setImmediate(resolved))
    }
    expect(device.memory().free).toBe(2 ** 30 - 32)
  })

  test('out of memory names the bytes, and the call can be repeated', async () => {
    const a = device.tensor(positive, [2, 2])
    for (const space of [16, 32, 48]) {
      process.env.KRONROOT_LAZY_SPACE = String(space)
      expectRefused(() => cholesky(a), 'ERR_OUT_OF_MEMORY', /asked for \d+ bytes, \d+ are free/)
      await expectRejected(cholesky.async(a), 'ERR_OUT_OF_MEMORY', /asked for \d+ bytes/)
      expect(device.memory()).toMatchObject({ bytes: 16, tensors: 1, free: 2 ** 30 - 16 })
    }
    delete process.env.KRONROOT_LAZY_SPACE
    expect(cholesky(a).report.status).toEqual(['ok'])
  })

  test('a lost device refuses everything at once, and is disposed in peace', async () => {
    const lost = open('cuda')
    const a = lost.tensor(positive, [2, 2])
    process.env.KRONROOT_LAZY_LOSE = 'cholesky'
    const { value, report } = cholesky(a)
    const pending = [inverseRoot.async(a), value.dataAsync(), lost.synchronize()]
    await Promise.all(
      pending.map((one) => expectRejected(one, 'ERR_DEVICE_LOST', /cholesky: an illegal memory access/)),
    )
    for (const call of [
      () => report.status,
      () => value.data(),
      () => cholesky(a),
      () => lost.empty([2, 2]),
      () => lost.memory(),
      () => reduce(lost, 'dot', [{ x: a }]),
    ]) {
      expectRefused(call, 'ERR_DEVICE_LOST', /cholesky: an illegal memory access/)
    }
    a.dispose()
    lost.dispose()
    delete process.env.KRONROOT_LAZY_LOSE
    expect(cholesky(device.tensor(positive, [2, 2])).report.status).toEqual(['ok'])
  })
})

describe.each(['cpu', 'reference', 'cuda'] as const)('pointers on %s', (kind) => {
  test.skipIf(kind === 'cuda' && !existsSync(plugin))('wrap() lends memory and never gives it back', () => {
    const own = open(kind)
    const a = own.tensor(positive, [2, 2])
    const lent = own.wrap(a.pointer, [1, 2, 2])
    expect([...lent.data()]).toEqual(positive)
    lent.write(Float32Array.of(1, 2, 3, 4))
    expect([...a.data()]).toEqual([1, 2, 3, 4])
    expect([...matmul(lent, own.wrap(a.pointer, [2, 2])).data()]).toEqual([7, 10, 15, 22])
    expect(own.memory()).toMatchObject({ bytes: 32 })
    lent.dispose()
    expect([...a.data()]).toEqual([1, 2, 3, 4])
    expectRefused(() => own.wrap(0n, [1]), 'ERR_ARGUMENT', /pointer must be a bigint above 0, got 0n/)
    expectRefused(() => own.wrap(Number(a.pointer) as never, [1]), 'ERR_ARGUMENT')
    expectRefused(() => own.wrap(a.pointer + 4n, [1], { dtype: 'f64' }), 'ERR_ARGUMENT', /multiple of the 8 bytes/)
    expectRefused(() => own.wrap(a.pointer, [-1]), 'ERR_SHAPE')
    expect(own.empty([0, 3]).pointer).toBe(0n)
    a.dispose()
    expectRefused(() => a.pointer, 'ERR_DISPOSED')
    own.dispose()
    expectRefused(() => own.wrap(16n, [1]), 'ERR_DISPOSED')
  })

  test.skipIf(kind === 'cuda' && !existsSync(plugin))('dataAsync() and synchronize()', async () => {
    const own = open(kind)
    const a = own.tensor(Float64Array.of(1, 2), [2])
    expect(await a.dataAsync()).toEqual(Float64Array.of(1, 2))
    expect(await own.empty([0, 2]).dataAsync()).toEqual(new Float32Array(0))
    expect(await own.synchronize()).toBeUndefined()
    own.dispose()
    await expectRejected(own.synchronize(), 'ERR_DISPOSED')
    await expectRejected(a.dataAsync(), 'ERR_DISPOSED')
  })
})
