// Rules with a diagonal of curvature. Random signs are those of lib/, everything else is not.
import { fillSigns } from '../../../../lib/optim/second-order/probes.js'
import type { Oracle } from '../../oracle.js'
import type { GroupModel } from '../model.js'
import { dot, flatModel, flatten, split, sum } from './flat.js'

const sizesOf = (shapes: readonly (readonly number[])[]) =>
  shapes.map((shape) => ({ length: shape.reduce((product, dimension) => product * dimension, 1) }))

/** z o (H z) */
function hutchinson(oracle: Oracle, shapes: readonly (readonly number[])[], seed: number) {
  const sizes = sizesOf(shapes)
  return (values: number[], step: number): number[] => {
    const z = sizes.map(({ length }, index) => {
      const signs = new Float32Array(length)
      fillSigns(signs, seed, step, `p${index}`)
      return signs
    })
    const product = flatten(oracle.hessianVector(z, split(values, sizes)))
    return flatten(z).map((sign, i) => sign * product[i]!)
  }
}

/** decay old + (1 - decay) x */
const averaged = (decay: number, old: readonly number[], x: readonly number[]) => sum(decay, old, 1 - decay, x)

export function adaHessianModel(options: {
  oracle: Oracle
  seed: number
  beta1: number
  block: (shape: readonly number[]) => number
  every?: number
  epsilon?: number
}): GroupModel {
  const { oracle, seed, beta1, block, every = 1, epsilon = 1e-8 } = options
  return flatModel((n, shapes) => {
    const estimate = hutchinson(oracle, shapes, seed)
    let m = new Array<number>(n).fill(0)
    let v = new Array<number>(n).fill(0)
    let estimates = 0
    return (gradient, values, { step }) => {
      if ((step - 1) % every === 0) {
        estimates++
        const h = split(estimate(values, step), sizesOf(shapes)).flatMap((part, index) => {
          const b = block(shapes[index]!)
          return part.map((_, i) => {
            const start = b * Math.floor(i / b)
            return part.slice(start, start + b).reduce((total, value) => total + value, 0) / b
          })
        })
        v = averaged(
          0.999,
          v,
          h.map((value) => value ** 2),
        )
      }
      m = averaged(beta1, m, gradient)
      return m.map((value, i) => value / (1 - beta1 ** step) / (Math.sqrt(v[i]! / (1 - 0.999 ** estimates)) + epsilon))
    }
  })
}

export function sophiaModel(options: {
  oracle: Oracle
  seed: number
  every: number
  gamma: number
  /** Gauss-Newton-Bartlett with the gradient of the oracle. */
  batchSize?: number
}): GroupModel {
  const { oracle, seed, every, gamma, batchSize } = options
  return flatModel((n, shapes) => {
    const estimate = hutchinson(oracle, shapes, seed)
    let m = new Array<number>(n).fill(0)
    let h = new Array<number>(n).fill(0)
    return (gradient, values, { step }) => {
      if ((step - 1) % every === 0) {
        const sampled = () => flatten(oracle.gradient(split(values, sizesOf(shapes)))).map((g) => batchSize! * g * g)
        h = averaged(0.99, h, batchSize === undefined ? estimate(values, step) : sampled())
      }
      m = averaged(0.96, m, gradient)
      return m.map((value, i) => Math.max(-1, Math.min(1, value / Math.max(gamma * h[i]!, 1e-12))))
    }
  })
}

export function oasisModel({ oracle, seed, least }: { oracle: Oracle; seed: number; least: number }): GroupModel {
  return flatModel((_, shapes) => {
    const estimate = hutchinson(oracle, shapes, seed)
    let d: number[] | undefined
    let eta = 0.1
    let theta = Number.POSITIVE_INFINITY
    let last: { values: number[]; gradient: number[] } | undefined
    return (gradient, values, { step }) => {
      const sample = estimate(values, step)
      d = d === undefined ? sample : averaged(0.99, d, sample)
      const b = d.map((value) => Math.max(Math.abs(value), least))
      if (last !== undefined) {
        const w = sum(1, values, -1, last.values)
        const g = sum(1, gradient, -1, last.gradient)
        const moved = Math.sqrt(w.reduce((total, x, i) => total + b[i]! * x * x, 0))
        const turned = Math.sqrt(g.reduce((total, x, i) => total + (x * x) / b[i]!, 0))
        // The gradients of the conformance test do not follow the values, so that eta falls until these no longer move.
        if (moved > 0) {
          const next = Math.min(Math.sqrt(1 + theta) * eta, moved / (2 * turned))
          theta = next / eta
          eta = next
        }
      }
      last = { values, gradient }
      return gradient.map((g, i) => (eta * g) / b[i]!)
    }
  })
}

export function polyakModel(options: {
  oracle: Oracle
  preconditioner: 'identity' | 'adam' | 'adagrad' | 'hutchinson'
  epsilon: number
}): GroupModel {
  const { oracle, preconditioner, epsilon } = options
  return flatModel((n, shapes) => {
    const estimate = hutchinson(oracle, shapes, 0)
    let v = new Array<number>(n).fill(0)
    const squares = (gradient: number[]) => gradient.map((g) => g * g)
    return (gradient, values, { step }) => {
      const correction = 1 - 0.999 ** step
      const diagonal: Record<typeof preconditioner, () => number[]> = {
        identity: () => gradient.map(() => 1),
        adam: () => {
          v = averaged(0.999, v, squares(gradient))
          return v.map((value) => Math.sqrt(value / correction) + epsilon)
        },
        adagrad: () => {
          v = sum(1, v, 1, squares(gradient))
          return v.map((value) => Math.sqrt(value) + epsilon)
        },
        hutchinson: () => {
          v = averaged(0.999, v, estimate(values, step))
          return v.map((value) => Math.max(Math.abs(value / correction), epsilon))
        },
      }
      const b = diagonal[preconditioner]()
      const scaled = gradient.map((g, i) => g / b[i]!)
      const loss = oracle.loss(split(values, sizesOf(shapes)))
      const gamma = Math.min(1, Math.max(0, loss / (0.5 * dot(gradient, scaled))))
      return scaled.map((value) => gamma * value)
    }
  })
}
