import { type Device, open } from '../device.js'
import { KronrootError } from '../errors.js'
import { type Autoencoder, autoencoder } from './autoencoder.js'
import { type Images, trainingImages } from './mnist.js'
import type { Problem } from './problem.js'
import { reconstruction } from './reconstruction.js'
import type { Workbench } from './training-run.js'
import { UsageError } from './usage-error.js'

/** Size of the subset of the training set on which the training loss is measured. */
export const evaluationImages = 2000

/** The workbench of the autoencoder, with what its configuration tells of it. */
export interface Preparation extends Workbench {
  readonly model: Autoencoder
  readonly images: Images
}

/**
 * Everything a run needs, before anything is written: the data set, jax-js, the native addon.
 *
 * @throws UsageError that names what is missing and how to get it.
 */
export async function prepare(options: { batch: number; steps: number; evaluateEvery: number }): Promise<Preparation> {
  const images = trainingImages()
  if (options.batch > images.count) {
    throw new UsageError(`--batch ${options.batch} is more than the ${images.count} images there are`)
  }
  const model = await autoencoder()
  const device = openDevice()
  const problem = reconstruction(model, images, evaluationImages)
  warmUp(problem, options.batch)
  return { ...options, device, model, images, problem }
}

/** Computes one gradient and one loss and drops them, so that compiling them is not counted as training. */
export function warmUp(problem: Problem, batch: number): void {
  const parameters = problem.initial(0)
  problem.batch(new Uint32Array(batch))(parameters)
  problem.evaluate(parameters)
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
