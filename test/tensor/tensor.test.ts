import { afterAll, describe, expect, test } from 'vitest'
import { type DeviceKind, open, Tensor } from '../../lib/index.js'
import { expectRefused } from '../refusal.js'

describe.each<DeviceKind>(['cpu', 'reference'])('tensors of the %s device', (kind) => {
  const device = open(kind)
  afterAll(() => device.dispose())

  test('from a Float32Array: f32, copied, read back', () => {
    const data = Float32Array.of(1, 2, 3, 4, 5, 6)
    const tensor = device.tensor(data, [1, 2, 3])
    data.fill(0)
    expect(tensor).toBeInstanceOf(Tensor)
    expect(tensor).toMatchObject({ dtype: 'f32', shape: [1, 2, 3], size: 6, bytes: 24, disposed: false, device })
    expect(tensor.data()).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6))
    expect(tensor.data()).not.toBe(tensor.data())
  })

  test('from a Float64Array: f64; from numbers: f32; dtype converts', () => {
    expect(device.tensor(Float64Array.of(0.1), [1, 1]).data()).toEqual(Float64Array.of(0.1))
    expect(device.tensor([0.1, Number.NaN], [2, 1]).data()).toEqual(Float32Array.of(0.1, Number.NaN))
    expect(device.tensor([0.1], [1, 1], { dtype: 'f64' }).data()).toEqual(Float64Array.of(0.1))
    expect(device.tensor(Float64Array.of(0.1), [1, 1], { dtype: 'f32' }).data()).toEqual(Float32Array.of(0.1))
    expect(device.tensor(Float32Array.of(0.1), [1, 1], { dtype: 'f64' }).data()).toEqual(
      Float64Array.of(Math.fround(0.1)),
    )
  })

  test('empty() is zeros, in recycled memory and in large tensors too', () => {
    device.tensor(new Float64Array(100_000).fill(7), [100_000]).dispose()
    const tensor = device.empty([100_001], { dtype: 'f64' })
    expect(tensor.data().every((element) => element === 0)).toBe(true)
    tensor.dispose()
  })

  test('empty shapes are legal', () => {
    for (const shape of [[0], [0, 0], [3, 0, 5], [0, 4, 4]]) {
      const tensor = device.tensor(new Float32Array(0), shape)
      expect(tensor.size).toBe(0)
      expect(tensor.data()).toEqual(new Float32Array(0))
      tensor.dispose()
    }
  })

  test('the shape is a frozen copy', () => {
    const shape = [2, 2]
    const tensor = device.empty(shape)
    shape[0] = 100
    expect(tensor.shape).toEqual([2, 2])
    expect(Object.isFrozen(tensor.shape)).toBe(true)
  })

  test('write and read', () => {
    const tensor = device.empty([2, 2])
    tensor.write(Float32Array.of(1, 2, 3, 4))
    const into = new Float32Array(4)
    tensor.read(into)
    expect(into).toEqual(Float32Array.of(1, 2, 3, 4))
  })

  test('views with an offset, at any alignment, touch nothing beside them', () => {
    const buffer = Float32Array.of(9, 1, 2, 3, 4, 9)
    const tensor = device.tensor(buffer.subarray(1, 5), [2, 2])
    expect(tensor.data()).toEqual(Float32Array.of(1, 2, 3, 4))
    const into = new Float32Array(6).fill(9)
    tensor.read(into.subarray(1, 5))
    expect(into).toEqual(buffer)
  })

  test('SharedArrayBuffers are copied', () => {
    const shared = new Float32Array(new SharedArrayBuffer(24), 8, 4)
    shared.set([1, 2, 3, 4])
    const tensor = device.tensor(shared, [2, 2])
    shared.fill(0)
    expect(tensor.data()).toEqual(Float32Array.of(1, 2, 3, 4))
    tensor.read(shared)
    expect([...shared]).toEqual([1, 2, 3, 4])
    tensor.write(shared)
  })

  test('resizable and growable buffers are refused', () => {
    const tensor = device.empty([2, 2])
    // Options that TypeScript's es2022 library does not know.
    const Resizable = ArrayBuffer as unknown as new (bytes: number, options: object) => ArrayBuffer
    const Growable = SharedArrayBuffer as unknown as new (bytes: number, options: object) => SharedArrayBuffer
    for (const buffer of [new Resizable(16, { maxByteLength: 32 }), new Growable(16, { maxByteLength: 32 })]) {
      const view = new Float32Array(buffer as ArrayBuffer)
      for (const call of [() => device.tensor(view, [2, 2]), () => tensor.read(view), () => tensor.write(view)]) {
        expectRefused(call, 'ERR_BUFFER', /resizable/)
      }
    }
  })

  test('detached buffers are refused, also where no element is needed', () => {
    const view = new Float32Array(4)
    structuredClone(view, { transfer: [view.buffer] })
    expect(view.length).toBe(0)
    const tensor = device.empty([2, 2])
    expectRefused(() => device.tensor(view, [2, 2]), 'ERR_BUFFER', 'data has 0 elements')
    expectRefused(() => device.tensor(view, [0, 2]), 'ERR_BUFFER', 'detached')
    expectRefused(() => tensor.write(view), 'ERR_BUFFER', 'detached')
    expectRefused(() => tensor.read(view), 'ERR_BUFFER', 'detached')
    tensor.dispose()
  })

  test('a refused tensor holds no memory', () => {
    const own = open(kind)
    const view = new Float32Array(0)
    structuredClone(view, { transfer: [view.buffer] })
    expectRefused(() => own.tensor(view, [0, 2]), 'ERR_BUFFER')
    expect(own.memory()).toEqual({ bytes: 0, tensors: 0 })
    own.dispose()
  })

  test('lengths, element types and classes are checked', () => {
    const tensor = device.empty([2, 2])
    expectRefused(() => device.tensor([1, 2, 3], [2, 2]), 'ERR_BUFFER', 'data has 3 elements, the shape [2, 2] needs 4')
    expectRefused(() => tensor.write(new Float32Array(5)), 'ERR_BUFFER', 'data has 5 elements, the tensor has 4')
    expectRefused(() => tensor.read(new Float32Array(3)), 'ERR_BUFFER', 'into has 3 elements')
    expectRefused(() => tensor.write(new Float64Array(4)), 'ERR_DTYPE', 'data must be a Float32Array')
    expectRefused(() => tensor.read(new Float64Array(4)), 'ERR_DTYPE', 'into must be a Float32Array')
    expectRefused(() => device.tensor(new Int32Array(4) as never, [2, 2]), 'ERR_DTYPE', 'got a Int32Array')
    expectRefused(() => tensor.write(Buffer.alloc(16) as never), 'ERR_DTYPE')
    expectRefused(() => device.tensor({ length: 4 } as never, [2, 2]), 'ERR_ARGUMENT')
    expectRefused(() => device.tensor('1234' as never, [2, 2]), 'ERR_ARGUMENT', "got '1234'")
    expectRefused(() => device.tensor([1, '2' as never], [1, 2]), 'ERR_ARGUMENT', "element 1 is '2'")
    expectRefused(() => device.tensor([1, undefined as never], [1, 2]), 'ERR_ARGUMENT', 'element 1 is undefined')
    expectRefused(() => device.empty([1], { dtype: 'f16' as never }), 'ERR_DTYPE', "got 'f16'")
    expectRefused(() => device.empty([1], { type: 'f32' } as never), 'ERR_OPTION', "no option 'type'")
  })

  test('malformed and enormous shapes are refused', () => {
    for (const shape of [
      [-1],
      [1.5],
      [Number.NaN],
      [2, '2'],
      [2n],
      [2, undefined],
      [2 ** 53],
      [],
      4,
      null,
      [Infinity],
    ]) {
      expectRefused(() => device.empty(shape as never), 'ERR_SHAPE', 'shape must')
    }
    for (const shape of [
      [46_341, 46_341, 46_341, 46_341],
      [2 ** 31, 2 ** 31],
      [0, 2 ** 52, 2 ** 52],
    ]) {
      expectRefused(() => device.empty(shape), 'ERR_SHAPE', '2^50 elements')
    }
  })

  test('memory that is not there is ERR_OUT_OF_MEMORY, and the next tensor works', () => {
    const own = open(kind)
    expectRefused(() => own.empty([2 ** 22, 2 ** 27], { dtype: 'f64' }), 'ERR_OUT_OF_MEMORY')
    expect(own.memory()).toEqual({ bytes: 0, tensors: 0 })
    own.empty([2, 2]).dispose()
    own.dispose()
  })

  test('use after dispose is ERR_DISPOSED', () => {
    const tensor = device.empty([2, 2])
    tensor[Symbol.dispose]()
    tensor.dispose()
    expect(tensor.disposed).toBe(true)
    expectRefused(() => tensor.data(), 'ERR_DISPOSED')
    expectRefused(() => tensor.read(new Float32Array(4)), 'ERR_DISPOSED')
    expectRefused(() => tensor.write(new Float32Array(4)), 'ERR_DISPOSED')
  })
})
