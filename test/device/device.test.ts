import { afterEach, describe, expect, test } from 'vitest'
import { Device, type DeviceKind, KronrootError, open } from '../../lib/index.js'
import { expectRefused } from '../refusal.js'

const opened: Device[] = []
const track = (device: Device): Device => {
  opened.push(device)
  return device
}
afterEach(() => {
  for (const device of opened.splice(0)) device.dispose()
})

describe('open', () => {
  test('auto says why it chose', () => {
    const device = track(open())
    expect(device).toBeInstanceOf(Device)
    expect(device.reason).toMatch(device.kind === 'cuda' ? /^auto chose cuda/ : /^auto chose cpu: .*CUDA/)
    expect(device.name.length).toBeGreaterThan(0)
    expect(track(open('auto', { isa: 'baseline' })).reason).toBe('auto chose cpu: isa is for it')
  })

  test.each<DeviceKind>(['cpu', 'reference'])('%s', (kind) => {
    const device = track(open(kind))
    expect(device.kind).toBe(kind)
    expect(device.threads).toBeGreaterThanOrEqual(1)
    expect(device.isa.length).toBeGreaterThan(0)
    expect(device.disposed).toBe(false)
  })

  test('threads and isa reach the backend', () => {
    const device = track(open('cpu', { threads: 3, isa: 'baseline' }))
    expect(device.threads).toBe(3)
    expect(device.isa).toBe('baseline')
  })

  test.each([
    [() => open('gpu' as 'cpu'), /open: name must be 'auto', 'cpu', 'reference', 'cuda' or 'cuda:N', got 'gpu'/],
    [() => open('cuda:x' as 'cuda'), /got 'cuda:x'/],
    [() => open(7 as never), /got 7/],
    [() => open('cpu', { threads: 0 }), /open: threads must be an integer from 1 to 4096, got 0/],
    [() => open('cpu', { threads: 1.5 }), /got 1.5/],
    [() => open('cpu', { threads: '2' as never }), /got '2'/],
    [
      () => open('cpu', { isa: 'sse' as never }),
      /open: isa must be one of 'baseline', 'avx2', 'avx512', 'amx', got 'sse'/,
    ],
    [() => open('reference', { isa: 'avx2' }), /isa is for 'cpu'/],
    [() => open('cuda', { isa: 'avx2' }), /isa is for 'cpu', cuda has its own/],
    [() => open('cpu', { stream: 2n }), /stream is for 'cuda', got name 'cpu'/],
    [() => open('auto', { stream: 2n }), /stream is for 'cuda', got name 'auto'/],
    [() => open('cuda', { stream: 0n }), /stream must be the address of a cudaStream_t .*got 0n/],
    [() => open('cuda', { stream: 2 as never }), /got 2$/],
    [() => open('cuda', { stream: 2n ** 64n }), /got 18446744073709551616n/],
    [() => open('cpu', { thread: 2 } as never), /open: there is no option 'thread'; there are threads, isa, stream/],
    [() => open('cpu', null as never), /open: options must be an object, got null/],
  ])('refuses what it does not know: %#', (call, message) => {
    expectRefused(call, 'ERR_OPTION', message)
  })
})

describe.each<DeviceKind>(['cpu', 'reference'])('%s device', (kind) => {
  test('memory() counts bytes and tensors, back to zero', () => {
    const device = track(open(kind))
    expect(device.memory()).toEqual({ bytes: 0, tensors: 0 })
    const a = device.empty([3, 4, 5])
    const b = device.tensor(new Float64Array(6), [2, 3])
    expect(device.memory()).toEqual({ bytes: 3 * 4 * 5 * 4 + 6 * 8, tensors: 2 })
    a.dispose()
    expect(device.memory()).toEqual({ bytes: 48, tensors: 1 })
    b.dispose()
    b.dispose()
    expect(device.memory()).toEqual({ bytes: 0, tensors: 0 })
  })

  test('devices count apart', () => {
    const [one, other] = [track(open(kind)), track(open(kind))]
    const tensor = one.empty([2, 2])
    expect(one.memory().tensors).toBe(1)
    expect(other.memory().tensors).toBe(0)
    tensor.dispose()
  })

  test('dispose() takes its tensors along and refuses all that follows', () => {
    const device = open(kind)
    const tensor = device.tensor([1, 2, 3, 4], [2, 2])
    device.dispose()
    device.dispose()
    expect(device.disposed).toBe(true)
    expect(tensor.disposed).toBe(true)
    expect(device.memory()).toEqual({ bytes: 0, tensors: 0 })
    for (const call of [
      () => device.empty([2, 2]),
      () => device.tensor([1], [1, 1]),
      () => tensor.data(),
      () => tensor.read(new Float32Array(4)),
      () => tensor.write(new Float32Array(4)),
    ]) {
      expectRefused(call, 'ERR_DISPOSED')
    }
    tensor.dispose()
  })

  test('Symbol.dispose', () => {
    const device = open(kind)
    device[Symbol.dispose]()
    expect(device.disposed).toBe(true)
  })
})

test('KronrootError is an Error with a name and a code', () => {
  const error = new KronrootError('ERR_SHAPE', 'why')
  expect(error).toBeInstanceOf(Error)
  expect(String(error)).toBe('KronrootError: why')
  expect(error.code).toBe('ERR_SHAPE')
})
