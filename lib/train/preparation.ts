import { type Device, open } from '../device.js'
import { KronrootError } from '../errors.js'
import { autoencoder } from './autoencoder.js'
import { evaluationSubset, trainingImages } from './mnist.js'
import type { Workbench } from './training-run.js'
import { UsageError } from './usage-error.js'

/** Size of the subset of the training set on which the training loss is measured. */
export const evaluationImages = 2000

/**
 * Everything a run needs, before anything is written: the data set, jax-js, the native addon. One gradient and one loss
 * are computed and dropped, so that compiling them is not counted as training.
 *
 * @throws UsageError that names what is missing and how to get it.
 */
export async function prepare(options: { batch: number; steps: number; evaluateEvery: number }): Promise<Workbench> {
  const images = trainingImages()
  if (options.batch > images.count) {
    throw new UsageError(`--batch ${options.batch} is more than the ${images.count} images there are`)
  }
  const model = await autoencoder()
  const device = openDevice()
  const evaluation = evaluationSubset(images, evaluationImages)
  const parameters = model.initial(0)
  model.gradient(parameters, new Float32Array(options.batch * images.pixels))
  model.loss(parameters, evaluation)
  return { ...options, device, model, images, evaluation }
}

function openDevice(): Device {
  try {
    return open('auto')
  } catch (error) {
    // No addon, or a KRONROOT_ISA or KRONROOT_THREADS that this machine does not have.
    if (error instanceof KronrootError) throw new UsageError(error.message)
    throw error
  }
}

/** For example "cpu, avx512, 2 threads". */
export function describeDevice({ kind, isa, threads }: Device): string {
  return `${kind}, ${isa}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`
}
