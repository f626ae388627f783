// Every op is tested on both devices and in both element types.
import { afterAll, describe, expect } from 'vitest'
import { type Device, type DType, open, type Tensor } from '../../lib/index.js'

export interface Subject {
  readonly device: Device
  readonly dtype: DType
  /** A tensor of the subject's dtype. */
  tensor(elements: readonly number[], shape: readonly number[]): Tensor
}

export function onEveryDevice(op: string, body: (subject: Subject) => void): void {
  describe.each([
    ['cpu', 'f32'],
    ['cpu', 'f64'],
    ['reference', 'f32'],
    ['reference', 'f64'],
  ] as const)(`${op} on %s, %s`, (kind, dtype) => {
    const device = open(kind)
    afterAll(() => device.dispose())
    body({ device, dtype, tensor: (elements, shape) => device.tensor(elements, shape, { dtype }) })
  })
}

/** Elementwise within a few units in the last place of the largest element. */
export function expectElements(tensor: Tensor, expected: readonly number[], shape: readonly number[]): void {
  expect(tensor.shape).toEqual(shape)
  const ulp = tensor.dtype === 'f32' ? 2 ** -23 : 2 ** -52
  const scale = Math.max(...expected.filter(Number.isFinite).map(Math.abs), Number.MIN_VALUE)
  const elements = tensor.data()
  expect(elements.length).toBe(expected.length)
  expected.forEach((value, i) => {
    if (Number.isNaN(value)) expect(elements[i], `element ${i}`).toBeNaN()
    else expect(Math.abs(elements[i]! - value) / scale, `element ${i} is ${elements[i]}`).toBeLessThanOrEqual(40 * ulp)
  })
}
