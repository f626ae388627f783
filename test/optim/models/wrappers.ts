// fp64 models of the wrappers: absolute sequences (slow weights, averages, true weights), where lib/ keeps distances.
import type { Oracle } from '../oracle.js'
import type { GroupModel, Model, ModelContext } from './model.js'

type Vector = readonly number[]
type Vectors = readonly Vector[]

const plus = (a: Vector, times: number, b: Vector) => a.map((value, i) => value + times * b[i]!)
const blend = (a: Vector, weight: number, b: Vector) => a.map((value, i) => (1 - weight) * value + weight * b[i]!)
const norm = (a: Vector) => Math.hypot(...a)
/** The direction that takes y to `next`. */
const towards = (y: Vector, next: Vector, lr: number) => y.map((value, i) => (value - next[i]!) / lr)
const doubles = (values: readonly ArrayLike<number>[]): Vectors => values.map((value) => Array.from(value))

export function lookaheadModel(inner: Model, { every, alpha }: { every: number; alpha: number }): Model {
  return (shape) => {
    const direct = inner(shape)
    let slow: Vector | undefined
    let steps = 0
    return (gradient, value, context) => {
      const w = Array.from(value)
      slow ??= w
      const fast = plus(w, -context.lr, direct(gradient, value, context))
      steps++
      if (steps % every !== 0) return towards(w, fast, context.lr)
      slow = blend(slow, alpha, fast)
      return towards(w, slow, context.lr)
    }
  }
}

export function xgradModel(inner: Model, ahead: number): Model {
  return (shape) => {
    const direct = inner(shape)
    let weights: Vector | undefined
    return (gradient, value, context) => {
      const predicted = Array.from(value)
      const update = direct(gradient, value, context).map((d) => context.lr * d)
      weights = plus(weights ?? predicted, -1, update)
      return towards(predicted, plus(weights, -ahead, update), context.lr)
    }
  }
}

/** Schedule-Free (`average` gives 1 / t for a constant learning rate) and primal averaging, with x and z as they are. */
export function interpolationModel(
  inner: Model,
  training: number,
  average: (context: ModelContext, lrs: readonly number[]) => number,
): Model {
  return (shape) => {
    const direct = inner(shape)
    const lrs: number[] = []
    let z: Vector | undefined
    let x: Vector | undefined
    return (gradient, value, context) => {
      const y = Array.from(value)
      lrs.push(context.lr)
      z = plus(z ?? y, -context.lr, direct(gradient, value, context))
      x = blend(x ?? y, average(context, lrs), z)
      return towards(y, blend(z, training, x), context.lr)
    }
  }
}

export function samModel(
  inner: GroupModel,
  oracle: Oracle,
  { rho, scope }: { rho: number; scope: 'group' | 'parameter' },
): GroupModel {
  return (shapes) => {
    const direct = inner(shapes)
    return (gradients, values, context) => {
      const g = doubles(gradients)
      const whole = norm(g.flat())
      const at = doubles(values).map((w, p) => plus(w, rho / (scope === 'group' ? whole : norm(g[p]!)), g[p]!))
      return direct(oracle.gradient(at), values, context)
    }
  }
}

export function marsModel(
  inner: GroupModel,
  { gamma, beta1, clip, oracle }: { gamma: number; beta1: number; clip: number; oracle?: Oracle },
): GroupModel {
  return (shapes) => {
    const direct = inner(shapes)
    let before: { readonly gradients: Vectors; readonly values: Vectors } | undefined
    return (gradients, values, context) => {
      const g = doubles(gradients)
      const old = before === undefined ? g : oracle === undefined ? before.gradients : oracle.gradient(before.values)
      before = { gradients: g, values: doubles(values) }
      const strength = (gamma * beta1) / (1 - beta1)
      const corrected = g.map((own, p) => own.map((value, i) => value + strength * (value - old[p]![i]!)))
      return direct(
        corrected.map((c) => c.map((value) => value / Math.max(1, norm(c) / clip))),
        values,
        context,
      )
    }
  }
}

/** Without noise. */
export function entropyModel(
  inner: GroupModel,
  oracle: Oracle,
  options: { steps: number; innerLr: number; gamma: number; alpha: number },
): GroupModel {
  const { steps, innerLr, gamma, alpha } = options
  return (shapes) => {
    const direct = inner(shapes)
    return (gradients, values, context) => {
      const w = doubles(values)
      let x = w
      let mu = w
      for (let walked = 0; walked < steps; walked++) {
        const g = walked === 0 ? doubles(gradients) : oracle.gradient(x)
        x = x.map((own, p) => own.map((value, i) => value - innerLr * (g[p]![i]! + gamma * (value - w[p]![i]!))))
        mu = mu.map((own, p) => blend(own, alpha, x[p]!))
      }
      return direct(
        w.map((own, p) => own.map((value, i) => gamma * (value - mu[p]![i]!))),
        values,
        context,
      )
    }
  }
}

export function vrgdModel(
  inner: Model,
  gamma: number,
  variance: (shape: readonly number[], element: number) => number,
): Model {
  return (shape) => {
    const direct = inner(shape)
    return (gradient, value, context) => {
      const g = Array.from(gradient)
      const ratios = g.map((own, i) => own ** 2 / variance(shape, i))
      const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / g.length
      const scaled = g.map((own, i) => own * Math.min(1, Math.max(gamma, ratios[i]! / mean)))
      return direct(scaled, value, context)
    }
  }
}

/** Directions of zero where the rule does not move. */
export function accumulateModel(inner: Model, every: number): Model {
  return (shape) => {
    const direct = inner(shape)
    let batch: Vector[] = []
    return (gradient, value, context) => {
      batch.push(Array.from(gradient))
      if (batch.length < every) return batch[0]!.map(() => 0)
      const mean = batch[0]!.map((_, i) => batch.reduce((sum, own) => sum + own[i]!, 0) / every)
      batch = []
      return direct(mean, value, context)
    }
  }
}
