// Models of Adam's relatives: everything elementwise, in f64, from the formulas of the papers.
import { type Model, zeros } from './model.js'

const map2 = (a: ArrayLike<number>, b: ArrayLike<number>, f: (x: number, y: number) => number) =>
  Array.from(a, (x, i) => f(x, b[i]!))

interface Betas {
  readonly beta1?: number
  readonly beta2?: number
  readonly epsilon?: number
}

export function amsgradModel({
  beta1 = 0.9,
  beta2 = 0.999,
  epsilon = 1e-8,
  isCorrected = true,
}: Betas & { readonly isCorrected?: boolean } = {}): Model {
  return () => {
    let [t, m, v, u] = [0, [] as number[], [] as number[], [] as number[]]
    return (g) => {
      if (t++ === 0) [m, v, u] = [zeros(g), zeros(g), zeros(g)]
      m = map2(m, g, (x, y) => beta1 * x + (1 - beta1) * y)
      v = map2(v, g, (x, y) => beta2 * x + (1 - beta2) * y * y)
      u = map2(u, v, Math.max)
      const correction = isCorrected ? 1 - beta2 ** t : 1
      return map2(m, u, (x, y) => x / (1 - beta1 ** t) / (Math.sqrt(y / correction) + epsilon))
    }
  }
}

export function nadamModel({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, psi = 0.004 } = {}): Model {
  return () => {
    let [t, m, v] = [0, [] as number[], [] as number[]]
    const mu = (k: number) => beta1 * (1 - 0.5 * 0.96 ** (k * psi))
    const product = (k: number): number => (k === 0 ? 1 : mu(k) * product(k - 1))
    return (g) => {
      if (t++ === 0) [m, v] = [zeros(g), zeros(g)]
      m = map2(m, g, (x, y) => beta1 * x + (1 - beta1) * y)
      v = map2(v, g, (x, y) => beta2 * x + (1 - beta2) * y * y)
      return Array.from(g, (value, i) => {
        const ahead = (mu(t + 1) * m[i]!) / (1 - product(t + 1)) + ((1 - mu(t)) * value) / (1 - product(t))
        return ahead / (Math.sqrt(v[i]! / (1 - beta2 ** t)) + epsilon)
      })
    }
  }
}

export function adamaxModel({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: Betas = {}): Model {
  return () => {
    let [t, m, u] = [0, [] as number[], [] as number[]]
    return (g) => {
      if (t++ === 0) [m, u] = [zeros(g), zeros(g)]
      m = map2(m, g, (x, y) => beta1 * x + (1 - beta1) * y)
      u = map2(u, g, (x, y) => Math.max(beta2 * x, Math.abs(y)))
      return map2(m, u, (x, y) => x / (1 - beta1 ** t) / (y + epsilon))
    }
  }
}

export function diffgradModel(adam: Model): Model {
  return (shape) => {
    const inner = adam(shape)
    let previous: ArrayLike<number> | undefined
    return (g, value, context) => {
      const before = previous ?? zeros(g)
      previous = Array.from(g)
      return inner(g, value, context).map((d, i) => d / (1 + Math.exp(-Math.abs(before[i]! - g[i]!))))
    }
  }
}

export interface AdEMAMixModelOptions extends Betas {
  readonly beta3?: number
  readonly alpha?: number
  readonly warmup?: number
}

export function ademamixModel(options: AdEMAMixModelOptions = {}): Model {
  const { beta1 = 0.9, beta2 = 0.999, beta3 = 0.9999, alpha = 5, epsilon = 1e-8, warmup = 0 } = options
  // Half-life of a decay, and the decay of a half-life.
  const halfLife = (beta: number) => Math.log(0.5) / Math.log(beta)
  const decayOf = (life: number) => 0.5 ** (1 / life)
  return () => {
    let [t, fast, slow, v] = [0, [] as number[], [] as number[], [] as number[]]
    return (g, _, { step }) => {
      if (t++ === 0) [fast, slow, v] = [zeros(g), zeros(g), zeros(g)]
      const s = warmup > 0 ? Math.min(1, step / warmup) : 1
      const decay = decayOf((1 - s) * halfLife(beta1) + s * halfLife(beta3))
      fast = map2(fast, g, (x, y) => beta1 * x + (1 - beta1) * y)
      slow = map2(slow, g, (x, y) => decay * x + (1 - decay) * y)
      v = map2(v, g, (x, y) => beta2 * x + (1 - beta2) * y * y)
      return Array.from(g, (_value, i) => {
        const numerator = fast[i]! / (1 - beta1 ** t) + s * alpha * slow[i]!
        return numerator / (Math.sqrt(v[i]! / (1 - beta2 ** t)) + epsilon)
      })
    }
  }
}

/** `signsgd` with beta1 = beta2 (and none of both: 0), Lion else. */
export function lionModel(beta1: number, beta2: number): Model {
  return () => {
    let m: number[] | undefined
    return (g) => {
      const old = m ?? zeros(g)
      m = map2(old, g, (x, y) => beta2 * x + (1 - beta2) * y)
      return map2(old, g, (x, y) => Math.sign(beta1 * x + (1 - beta1) * y))
    }
  }
}

/** Optimistic AMSGrad as the paper has it, with two sequences: `base` and the weights, whose difference makes the direction. */
export function optAmsgradModel({
  beta1 = 0.9,
  beta2 = 0.99,
  epsilon = 1e-8,
  history = 5,
  regularization = 1e-3,
} = {}): Model {
  return () => {
    const past: number[][] = []
    let theta: number[] | undefined
    let [v, u, prediction, base] = [[] as number[], [] as number[], [] as number[], [] as number[]]
    let weights: number[] = []
    return (gradient, value, { lr }) => {
      const g = Array.from(gradient)
      if (theta === undefined) {
        ;[theta, v, u, prediction] = [zeros(g), zeros(g), zeros(g), zeros(g)]
        base = Array.from(value)
        weights = Array.from(value)
      }
      const old = theta
      const guess = prediction
      v = v.map((x, i) => beta2 * x + (1 - beta2) * (g[i]! - guess[i]!) ** 2)
      u = map2(u, v, Math.max)
      theta = map2(old, g, (x, y) => beta1 * x + (1 - beta1) * y)
      past.push(g)
      if (past.length > history) past.shift()
      prediction = extrapolated(past, regularization)
      const root = u.map((x) => Math.sqrt(x) + epsilon)
      base = base.map((x, i) => x - (lr * theta![i]!) / root[i]!)
      const next = base.map((x, i) => x - (lr * (beta1 * old[i]! + (1 - beta1) * prediction[i]!)) / root[i]!)
      const direction = weights.map((w, i) => (w - next[i]!) / lr)
      weights = next
      return direction
    }
  }
}

/** sum c_i x_i with c minimising |U c|^2 + lambda |c|^2 for sum c = 1: by Lagrange, from the inverse of the matrix. */
function extrapolated(sequence: readonly (readonly number[])[], regularization: number): number[] {
  const r = sequence.length - 1
  if (r === 0) return [...sequence[0]!]
  const u = Array.from({ length: r }, (_, i) => map2(sequence[i + 1]!, sequence[i]!, (x, y) => x - y))
  const gram = u.map((a) => u.map((b) => a.reduce((sum, x, i) => sum + x * b[i]!, 0)))
  const lambda = (regularization * gram.reduce((sum, row, i) => sum + row[i]!, 0)) / r
  gram.forEach((row, i) => {
    row[i]! += lambda
  })
  const z = cramer(gram)
  const total = z.reduce((sum, x) => sum + x, 0)
  return sequence[0]!.map((_, i) => z.reduce((sum, x, k) => sum + (x / total) * sequence[k]![i]!, 0))
}

/** A z = 1 by Cramer's rule. */
function cramer(a: readonly (readonly number[])[]): number[] {
  const determinant = (m: readonly (readonly number[])[]): number =>
    m.length === 0
      ? 1
      : m[0]!.reduce((sum, x, j) => {
          const minor = m.slice(1).map((row) => row.filter((_, k) => k !== j))
          return sum + (j % 2 === 0 ? x : -x) * determinant(minor)
        }, 0)
  const whole = determinant(a)
  return a.map((_, j) => determinant(a.map((row) => row.map((x, k) => (k === j ? 1 : x)))) / whole)
}
