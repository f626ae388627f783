// Allowed imports and includes, downwards only (docs: CONTRIBUTING.md). This test is the law's teeth: it reads every
// include and import of the tree and fails on any that is not in the table.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')

/** Folder of native/ -> folders of native/ that it may include. */
const nativeLayers: Record<string, readonly string[]> = {
  include: [],
  core: ['include'],
  reference: ['include', 'core'],
  cpu: ['include', 'core'],
  cuda: ['include', 'core'],
  collective: ['include', 'core'],
  addon: ['include', 'core'],
}

/** Layer of lib/ -> layers it may import directly. */
const libLayers: Record<string, readonly string[]> = {
  errors: [],
  native: ['errors'],
  device: ['native', 'errors'],
  linalg: ['device', 'native', 'errors'],
  schedule: ['errors'],
  precondition: ['linalg', 'device', 'errors', 'schedule'],
  optim: ['precondition', 'linalg', 'device', 'errors', 'schedule'],
  curvature: ['precondition', 'linalg', 'device', 'errors'],
  distributed: ['precondition', 'native', 'device', 'errors'],
  integrations: ['optim', 'precondition', 'linalg', 'device', 'errors', 'schedule'],
  train: ['integrations', 'optim', 'precondition', 'linalg', 'device', 'errors', 'schedule', 'curvature'],
  cli: ['train', 'integrations', 'optim', 'linalg', 'device', 'errors', 'schedule', 'curvature', 'native'],
}

/** Packages that a layer may import; every layer may import node: built-ins. */
const packages: Record<string, readonly string[]> = {
  integrations: ['@jax-js/jax', '@tensorflow/tfjs'],
  train: ['zod', 'echarts', '@jax-js/jax'],
  cli: ['commander', 'zod'],
}

function files(folder: string, pattern: RegExp): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => pattern.test(file))
    .map((file) => join(folder, file))
}

/** 'lib/device.ts' and 'lib/tensor.ts' are one layer; lib/index.ts is above all. */
function layerOf(file: string): string {
  const [, first = ''] = file.split('/')
  const name = first.replace(/\.[cm]?ts$|\.[cm]?js$/, '')
  return name === 'tensor' ? 'device' : name
}

function violations(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8')
  const found: string[] = []
  if (file.startsWith('native/')) {
    const layer = file.split('/')[1]!
    for (const [, quote, path] of text.matchAll(/^\s*#\s*include\s*(["<])([^">]+)[">]/gm)) {
      if (quote === '<') {
        if (/napi\.h|node_api|js_native_api/.test(path!) && layer !== 'addon') found.push(`${file} includes ${path}`)
        continue
      }
      const target = normalize(join(dirname(file), path!)).split('/')
      const ok = target[0] === 'native' && (target[1] === layer || nativeLayers[layer]?.includes(target[1]!))
      if (!ok) found.push(`${file} includes ${path}`)
    }
    return found
  }
  const layer = layerOf(file)
  const statements = text.matchAll(/^\s*(?:import|export)\s+(?:[\w*\s{},]+?\sfrom\s+)?['"]([^'"]+)['"]/gm)
  const expressions = text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g)
  for (const [, path] of [...statements, ...expressions]) {
    if (path!.startsWith('node:')) continue
    if (!path!.startsWith('.')) {
      if (!packages[layer]?.some((name) => path === name || path!.startsWith(`${name}/`))) {
        found.push(`${file} imports ${path}`)
      }
      continue
    }
    if (layer === 'index') continue
    const target = layerOf(normalize(join(dirname(file), path!)))
    if (target !== layer && !libLayers[layer]?.includes(target)) found.push(`${file} imports ${path}`)
  }
  return found
}

describe('imports go downwards only', () => {
  const native = files('native', /\.(h|hpp|inl|c|cpp|cu|cuh)$/)
  const lib = files('lib', /\.[cm]?ts$/)

  test('every layer is in the table', () => {
    expect(native.map((file) => file.split('/')[1]!).filter((layer) => !(layer in nativeLayers))).toEqual([])
    expect(lib.map(layerOf).filter((layer) => layer !== 'index' && !(layer in libLayers))).toEqual([])
    expect(native.length).toBeGreaterThan(10)
    expect(lib.length).toBeGreaterThan(10)
  })

  test('native/', () => expect(native.flatMap(violations)).toEqual([]))
  test('lib/', () => expect(lib.flatMap(violations)).toEqual([]))

  test('addon is the only place that knows the backends by name, and the table of layers has no cycle', () => {
    const order = Object.keys(libLayers)
    for (const [layer, allowed] of Object.entries(libLayers)) {
      for (const below of allowed) {
        if (below === 'schedule' || below === 'curvature') continue
        expect(order.indexOf(below), `${layer} -> ${below}`).toBeLessThan(order.indexOf(layer))
      }
    }
  })
})
