import { UsageError } from './usage-error.js'

/** What is needed of jax-js. */
export type Jax = typeof import('@jax-js/jax')

/**
 * jax-js on its wasm backend, initialized.
 *
 * @throws UsageError where `@jax-js/jax` is not installed.
 */
export async function loadJax(): Promise<Jax> {
  const jax = await importJax()
  await jax.init('wasm')
  return jax
}

async function importJax(): Promise<Jax> {
  try {
    return await import('@jax-js/jax')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new UsageError('gradients need the package @jax-js/jax: run `npm install @jax-js/jax`')
  }
}
