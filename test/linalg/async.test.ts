// The asynchronous twins: off the JavaScript thread, abortable, safe beside everything else.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { type Device, eigh, gram, inverseRoot, matmul, open, type Tensor } from '../../lib/index.js'
import { expectRefused, expectRejected } from '../refusal.js'

const device = open('cpu')
afterAll(() => device.dispose())

/** A batch of Gram matrices of noise, reproducible. */
function grams(on: Device, batch: number, n: number): Tensor {
  let seed = 12345
  const noise = Float32Array.from({ length: batch * n * n }, () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0
    return seed / 2 ** 31
  })
  const x = on.tensor(noise, [batch, n, n])
  const result = gram(x)
  x.dispose()
  return result
}

/** Long enough to be caught in flight: a tenth of a second of eigendecompositions. */
const heavy = grams(device, 120, 320)

describe('results', () => {
  test('are those of the synchronous call, bit for bit', async () => {
    const a = grams(device, 5, 24)
    const expected = eigh(a)
    const [first, second] = await Promise.all([eigh.async(a), eigh.async(a)])
    for (const { values, vectors, report } of [first, second]) {
      expect(values.data()).toEqual(expected.values.data())
      expect(vectors!.data()).toEqual(expected.vectors!.data())
      expect(report.residual).toEqual(expected.report.residual)
    }
  })

  test('64 calls at once all answer', async () => {
    const a = grams(device, 2, 16)
    const expected = inverseRoot(a).value.data()
    const results = await Promise.all(Array.from({ length: 64 }, () => inverseRoot.async(a)))
    for (const { value } of results) expect(value.data()).toEqual(expected)
  })

  test('the event loop runs meanwhile', async () => {
    let ticks = 0
    const timer = setInterval(() => ticks++, 5)
    await eigh.async(heavy)
    clearInterval(timer)
    // A blocked loop makes none; all cores are busy, so an idle loop's number is not to be had.
    expect(ticks).toBeGreaterThanOrEqual(3)
  })
})

describe('abort', () => {
  test('already aborted: rejects with the reason, nothing is done', async () => {
    const out = device.tensor([7, 7, 7, 7], [2, 2])
    const reason = new Error('changed my mind')
    const before = device.memory().tensors
    await expect(
      matmul.async(device.empty([2, 2]), device.empty([2, 2]), { out, signal: AbortSignal.abort(reason) }),
    ).rejects.toBe(reason)
    expect([...out.data()]).toEqual([7, 7, 7, 7])
    expect(device.memory().tensors).toBeLessThanOrEqual(before + 2)
  })

  test('the reason may be anything, and comes before every other refusal', async () => {
    await expect(gram.async(null as never, { signal: AbortSignal.abort('no') })).rejects.toBe('no')
    await expect(gram.async(heavy, { signal: AbortSignal.abort() })).rejects.toHaveProperty('name', 'AbortError')
  })

  test('in flight: rejects soon, and gives the output back', async () => {
    const full = performance.now()
    eigh(heavy)
    const whole = performance.now() - full
    const before = device.memory().tensors
    const controller = new AbortController()
    const promise = eigh.async(heavy, { signal: controller.signal })
    await sleep(20)
    const started = performance.now()
    controller.abort('enough')
    await expect(promise).rejects.toBe('enough')
    expect(performance.now() - started).toBeLessThan(whole / 2)
    expect(device.memory().tensors).toBeLessThanOrEqual(before)
  })

  // Against its own time, and again where something else held the machine up for a moment.
  test.each([true, false])('in flight, one large matrix, vectors: %s', { retry: 4 }, async (vectors) => {
    const a = grams(device, 1, vectors ? 1200 : 2600)
    const full = performance.now()
    eigh(a, { vectors })
    const whole = performance.now() - full
    const controller = new AbortController()
    const promise = eigh.async(a, { vectors, signal: controller.signal })
    await sleep(5)
    const started = performance.now()
    controller.abort('enough')
    await expect(promise).rejects.toBe('enough')
    expect(performance.now() - started).toBeLessThan(whole / 2)
  })

  test('in the queue: never starts', async () => {
    const busy = Array.from({ length: 8 }, () => {
      const controller = new AbortController()
      return { controller, promise: eigh.async(heavy, { signal: controller.signal }) }
    })
    const controller = new AbortController()
    const out = device.tensor([7, 7, 7, 7], [2, 2])
    const queued = gram.async(device.tensor([1, 0, 0, 1], [2, 2]), { out, signal: controller.signal })
    controller.abort('never mind')
    for (const { controller } of busy) controller.abort('too')
    const outcomes = await Promise.allSettled([queued, ...busy.map(({ promise }) => promise)])
    expect(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason)).toEqual([
      'never mind',
      ...busy.map(() => 'too'),
    ])
    expect([...out.data()]).toEqual([7, 7, 7, 7])
  })

  test('after the answer: nothing happens, and no listener is left', async () => {
    const controller = new AbortController()
    let listeners = 0
    const { signal } = controller
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)]
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--
      remove(...args)
    }
    const value = await gram.async(device.tensor([1, 2], [1, 2]), { signal })
    controller.abort()
    expect([...value.data()]).toEqual([5])
    expect(listeners).toBe(0)
  })
})

describe('tensors in flight', () => {
  test('may be disposed: the call keeps the memory', async () => {
    const own = open('cpu')
    const a = grams(own, 50, 64)
    const expected = eigh(a).values.data()
    const promise = eigh.async(a)
    a.dispose()
    expect(own.memory().bytes).toBeGreaterThanOrEqual(a.bytes)
    const { values, vectors } = await promise
    expect(values.data()).toEqual(expected)
    values.dispose()
    vectors!.dispose()
    own.dispose()
  })

  test('may lose their device: the call ends, its result is disposed', async () => {
    const own = open('cpu')
    const promise = eigh.async(grams(own, 50, 64))
    own.dispose()
    const { values } = await promise
    expect(values.disposed).toBe(true)
    expectRefused(() => values.data(), 'ERR_DISPOSED')
  })

  test('are not written, and their outputs not read, by others', async () => {
    const a = grams(device, 100, 64)
    const out = device.empty(a.shape)
    const promise = inverseRoot.async(a, { out })
    expectRefused(() => a.write(new Float32Array(a.size)), 'ERR_ALIAS', 'in use by an asynchronous call')
    expectRefused(() => out.data(), 'ERR_ALIAS', 'being written by an asynchronous call')
    expectRefused(() => gram(out), 'ERR_ALIAS', 'gram: x is in use by an asynchronous call')
    expectRefused(() => inverseRoot(a, { out }), 'ERR_ALIAS', 'inverseRoot: out is in use')
    await expectRejected(inverseRoot.async(a, { out: a }), 'ERR_ALIAS', 'inverseRoot: out is in use')
    // Reading beside it is fine, for others and for us.
    const beside = gram.async(a)
    expect(a.data().length).toBe(a.size)
    await Promise.all([promise, beside])
    expect(out.data().length).toBe(out.size)
    a.write(a.data())
  })

  test('are free again after an abort', async () => {
    const controller = new AbortController()
    const a = grams(device, 100, 64)
    const promise = inverseRoot.async(a, { out: a, signal: controller.signal })
    controller.abort('stop')
    await expect(promise).rejects.toBe('stop')
    a.write(a.data())
  })
})
