import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { KronrootError } from '../errors.js'
import { packageRoot } from './addon.js'

/**
 * The shared library with the CUDA backend: `KRONROOT_CUDA_PLUGIN` when set, else plugins/libkronroot_cuda.so of the package.
 * @throws KronrootError ERR_NO_DEVICE, with the remedy, where there is no such file
 */
export function pluginFile(): string {
  const chosen = process.env.KRONROOT_CUDA_PLUGIN
  const file = chosen ? resolve(chosen) : join(packageRoot(), 'plugins', 'libkronroot_cuda.so')
  if (existsSync(file)) return file
  const remedy = chosen
    ? 'unset KRONROOT_CUDA_PLUGIN, which names it, or correct it'
    : 'build it with `npm run build:cuda`, which needs nvcc, or let KRONROOT_CUDA_PLUGIN name one'
  throw new KronrootError('ERR_NO_DEVICE', `open: there is no CUDA plugin at ${file}; ${remedy}`)
}
