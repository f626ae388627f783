// Models of rules whose steps have a length of their own: by norms, by distances, by a model of the loss, by chance.
import { exponential } from '../../../lib/optim/random.js'
import type { Oracle } from '../oracle.js'
import { type GroupModel, type Model, perParameter, zeros } from './model.js'

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => Array.from(a).reduce((sum, x, i) => sum + x * b[i]!, 0)
const norm = (a: ArrayLike<number>) => Math.sqrt(dot(a, a))
const minus = (a: ArrayLike<number>, b: ArrayLike<number>) => Array.from(a, (x, i) => x - b[i]!)
const times = (factor: number, a: ArrayLike<number>) => Array.from(a, (x) => factor * x)
const sum = (numbers: readonly number[]) => numbers.reduce((total, x) => total + x, 0)

export function adagradNormModel(initial = 1e-10): GroupModel {
  return () => {
    let squares = initial ** 2
    return (gradients) => {
      squares += sum(gradients.map((g) => dot(g, g)))
      return gradients.map((g) => times(1 / Math.sqrt(squares), g))
    }
  }
}

export function larsModel({ momentum = 0.9, trust = 1e-3, decay = 0 } = {}): Model {
  return () => {
    let b: number[] | undefined
    return (g, w) => {
      const rate = norm(w) === 0 ? 1 : (trust * norm(w)) / (norm(g) + decay * norm(w))
      const old = b ?? zeros(g)
      b = old.map((x, i) => momentum * x + rate * (g[i]! + decay * w[i]!))
      return b
    }
  }
}

export function lambModel(adam: Model, { decay = 0, least = 0, largest = Number.POSITIVE_INFINITY } = {}): Model {
  return (shape) => {
    const inner = adam(shape)
    return (g, w, context) => {
      const r = inner(g, w, context).map((x, i) => x + decay * w[i]!)
      return norm(w) === 0 || norm(r) === 0 ? r : times(Math.min(Math.max(norm(w), least), largest) / norm(r), r)
    }
  }
}

export function nagGsModel({ mu = 1, gamma: start = 1.5 } = {}): Model {
  return () => {
    let gamma = start
    let v: number[] | undefined
    return (g, x, { lr: alpha }) => {
      const old = v ?? Array.from(x)
      const now = old.map((y, i) => (gamma * y + alpha * mu * x[i]! - alpha * g[i]!) / (gamma + alpha * mu))
      v = now
      gamma = (gamma + alpha * mu) / (1 + alpha)
      return Array.from(x, (y, i) => (y - (y + alpha * now[i]!) / (1 + alpha)) / alpha)
    }
  }
}

export function dogModel(initial = 1e-6, epsilon = 1e-8): GroupModel {
  return () => {
    let start: number[][] | undefined
    let [distance, squares] = [0, 0]
    return (gradients, values) => {
      if (start === undefined) {
        start = values.map((w) => Array.from(w))
        distance = initial * (1 + Math.sqrt(sum(values.map((w) => dot(w, w)))))
      }
      const from = start
      distance = Math.max(distance, Math.sqrt(sum(values.map((w, p) => norm(minus(w, from[p]!)) ** 2))))
      squares += sum(gradients.map((g) => dot(g, g)))
      return gradients.map((g) => times(distance / Math.sqrt(squares + epsilon), g))
    }
  }
}

/** A group for each parameter. */
export const ldogModel = (initial?: number): GroupModel =>
  perParameter(() => {
    const alone = dogModel(initial)([])
    return (g, w, context) => [...alone([g], [w], context)[0]!]
  })

export function swatsModel(adam: Model, { beta1 = 0.9, beta2 = 0.999, tolerance = 1e-9 } = {}): GroupModel {
  return (shapes) => {
    const inner = shapes.map((shape) => adam(shape))
    let [k, lambda] = [0, 0]
    let sgd: { rate: number; v: number[][] } | undefined
    return (gradients, values, context) => {
      if (sgd !== undefined) {
        const { rate, v } = sgd
        sgd.v = v.map((list, p) => list.map((x, i) => beta1 * x + gradients[p]![i]!))
        return sgd.v.map((list) => times(((1 - beta1) * rate) / context.lr, list))
      }
      k++
      const a = inner.map((one, p) => one(gradients[p]!, values[p]!, context))
      // Steps p = -lr a, the rates themselves.
      const steps = a.map((list) => times(-context.lr, list))
      const gamma = sum(steps.map((p) => dot(p, p))) / -sum(steps.map((p, index) => dot(p, gradients[index]!)))
      lambda = beta2 * lambda + (1 - beta2) * gamma
      const corrected = lambda / (1 - beta2 ** k)
      if (k > 1 && corrected > 0 && Math.abs(corrected - gamma) < tolerance) {
        sgd = { rate: corrected, v: gradients.map(zeros) }
      }
      return a
    }
  }
}

export function smbModel(oracle: Oracle, { c = 0.1, eta = 0.99 } = {}): GroupModel {
  return () =>
    (gradients, values, { lr }) => {
      const steps = gradients.map((g) => times(-lr, g))
      const trial = values.map((w, p) => Array.from(w, (x, i) => Math.fround(x + steps[p]![i]!)))
      const squares = sum(gradients.map((g) => dot(g, g)))
      if (oracle.loss(trial) <= oracle.loss(values) - c * lr * squares) return gradients.map((g) => Array.from(g))
      return oracle.gradient(trial).map((there, p) => {
        const [g, s] = [gradients[p]!, steps[p]!]
        const y = minus(there, g)
        const delta = 0.5 * (norm(s) * (norm(y) + norm(g) / eta) - dot(s, y))
        const curved = dot(s, y) + 2 * delta
        const theta = curved ** 2 - dot(s, s) * dot(y, y)
        const [cg, factor] = [-dot(s, s) / (2 * delta), -dot(s, s) / (2 * delta * theta)]
        const cy = factor * (-curved * dot(s, g) + dot(s, s) * dot(y, g))
        const cs = factor * (-curved * dot(y, g) + dot(y, y) * dot(s, g))
        return Array.from(g, (x, i) => -(cg * x + cy * y[i]! + cs * s[i]!) / lr)
      })
    }
}

/** The factors are those of lib/: random-scaled-sgdm.test.ts looks at their distribution. */
export function randomScaledModel({ momentum = 0.99, seed = 0 } = {}): Model {
  return () => {
    let [t, m] = [0, [] as number[]]
    return (g) => {
      if (t++ === 0) m = zeros(g)
      m = m.map((x, i) => momentum * x + (1 - momentum) * g[i]!)
      return times(exponential(seed, t), m)
    }
  }
}

export interface AdafactorModelOptions {
  readonly beta1?: number
  readonly clip?: number
  readonly isRelative?: boolean
  readonly isScaled?: boolean
}

export function adafactorModel(options: AdafactorModelOptions = {}): Model {
  const { beta1 = 0, clip = 1, isRelative = true, isScaled = true } = options
  const epsilon = 1e-30
  const rms = (a: ArrayLike<number>) => norm(a) / Math.sqrt(a.length)
  return (shape) => {
    const isMatrix = shape.length >= 2
    const [rows, columns] = isMatrix ? shape.slice(-2) : [1, shape[0] ?? 1]
    const each = isMatrix ? shape.slice(0, -2).reduce((product, size) => product * size, 1) : 1
    let t = 0
    let [v, average] = [[] as number[], [] as number[]]
    const [r, c] = [new Float64Array(each * rows!), new Float64Array(each * columns!)]
    return (g, w) => {
      if (t++ === 0) [v, average] = [zeros(g), zeros(g)]
      const beta2 = 1 - t ** -0.8
      const squares = Array.from(g, (x) => x * x + epsilon)
      v = v.map((x, i) => beta2 * x + (1 - beta2) * squares[i]!)
      const at = (k: number, i: number, j: number) => (k * rows! + i) * columns! + j
      const range = (n: number) => Array.from({ length: n }, (_, i) => i)
      let second = v
      if (isMatrix) {
        second = zeros(g)
        for (let k = 0; k < each; k++) {
          for (const i of range(rows!)) {
            const mean = sum(range(columns!).map((j) => squares[at(k, i, j)]!)) / columns!
            r[k * rows! + i] = beta2 * r[k * rows! + i]! + (1 - beta2) * mean
          }
          for (const j of range(columns!)) {
            const mean = sum(range(rows!).map((i) => squares[at(k, i, j)]!)) / rows!
            c[k * columns! + j] = beta2 * c[k * columns! + j]! + (1 - beta2) * mean
          }
          const mean = sum(range(rows!).map((i) => r[k * rows! + i]!)) / rows!
          for (const i of range(rows!)) {
            for (const j of range(columns!)) {
              second[at(k, i, j)] = (r[k * rows! + i]! * c[k * columns! + j]!) / mean
            }
          }
        }
      }
      const u = Array.from(g, (x, i) => x / Math.sqrt(second[i]!))
      const clipped = times(1 / Math.max(1, rms(u) / clip), u)
      average = average.map((x, i) => beta1 * x + (1 - beta1) * clipped[i]!)
      const alpha = (isRelative ? Math.min(1e-2, t ** -0.5) : 1) * (isScaled ? Math.max(1e-3, rms(w)) : 1)
      return times(alpha, average)
    }
  }
}
