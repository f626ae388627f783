import { describe, expect, test } from 'vitest'
import { gather, trainingImages, trainingLabels } from '../../lib/train/mnist.js'
import { UsageError } from '../../lib/train/usage-error.js'

describe('MNIST', () => {
  const images = trainingImages()

  test('60,000 images of 784 pixels, the first one the well-known 5', () => {
    expect([images.count, images.pixels]).toEqual([60_000, 784])
    const [first] = [gather(images, [0])]
    const lit = first!.filter((pixel) => pixel > 0).length
    expect(lit).toBe(166)
    // Row 5 of the picture begins its stroke at column 12 with the bytes 3, 18, 18.
    expect([...first!.subarray(5 * 28 + 12, 5 * 28 + 15)]).toEqual([3, 18, 18].map((byte) => Math.fround(byte / 255)))
  })

  test('gather takes images in the order of the indices', () => {
    const rows = gather(images, [7, 59_999, 7])
    expect(rows.subarray(0, 784)).toEqual(rows.subarray(1568))
    expect(rows.subarray(0, 784)).toEqual(gather(images, [7]))
    expect(rows.subarray(784, 1568)).toEqual(gather(images, [59_999]))
    expect(Math.max(...rows)).toBeLessThanOrEqual(1)
  })

  test('the labels are those of the images, some 6,000 of each digit', () => {
    const labels = trainingLabels()
    expect(labels.length).toBe(60_000)
    expect([...labels.subarray(0, 5)]).toEqual([5, 0, 4, 1, 9])
    const counts = Array.from({ length: 10 }, (_, digit) => labels.filter((label) => label === digit).length)
    expect(Math.min(...counts)).toBe(5421)
    expect(Math.max(...counts)).toBe(6742)
  })

  test('a missing or foreign file is named', () => {
    expect(() => trainingImages('/nowhere/images')).toThrow(UsageError)
    expect(() => trainingImages('/nowhere/images')).toThrow(/cannot read .*\/nowhere\/images: ENOENT/)
    expect(() => trainingImages(import.meta.filename)).toThrow(/not an IDX file/)
    expect(() => trainingLabels('/nowhere/labels')).toThrow(/cannot read .* labels \/nowhere\/labels: ENOENT/)
  })
})
