import type { GroupModel } from '../model.js'
import { dot, flatModel, sum } from './flat.js'

export interface LbfgsModelOptions {
  readonly history: number
  readonly minimumCurvature?: number
  readonly damping?: number
  /** Backtracking on this loss: sufficient decrease with c1 = 1e-4, halving, 6 trials. */
  readonly loss?: (values: number[]) => number
}

/** The inverse Hessian as a product of rank-two updates of gamma I, applied from the outside in: no two-loop recursion. */
function inverseTimes(pairs: readonly (readonly [number[], number[]])[], gamma: number, x: number[]): number[] {
  const newest = pairs[pairs.length - 1]
  if (newest === undefined) return x.map((value) => gamma * value)
  const [s, y] = newest
  const rho = 1 / dot(s, y)
  // H x = (I - rho s y^T) H' (I - rho y s^T) x + rho s s^T x
  const inner = inverseTimes(pairs.slice(0, -1), gamma, sum(1, x, -rho * dot(s, x), y))
  return sum(1, sum(1, inner, -rho * dot(y, inner), s), rho * dot(s, x), s)
}

export function lbfgsModel(options: LbfgsModelOptions): GroupModel {
  const { history, minimumCurvature = 1e-8, damping = 0, loss } = options
  return flatModel(() => {
    let pairs: (readonly [number[], number[]])[] = []
    let gamma = 1
    let last: { values: number[]; gradient: number[] } | undefined
    return (gradient, values, { lr }) => {
      if (last !== undefined) {
        const s = sum(1, values, -1, last.values)
        let y = sum(1, gradient, -1, last.gradient)
        const sBs = dot(s, s) / gamma
        if (dot(s, y) < damping * sBs) {
          const theta = ((1 - damping) * sBs) / (sBs - dot(s, y))
          y = sum(theta, y, (1 - theta) / gamma, s)
        }
        if (dot(s, y) > minimumCurvature * dot(s, s)) {
          pairs = [...pairs, [s, y] as const].slice(-history)
          gamma = dot(s, y) / dot(y, y)
        }
      }
      last = { values, gradient }
      const norm = Math.sqrt(dot(gradient, gradient))
      let direction =
        pairs.length === 0 ? gradient.map((g) => g * Math.min(1, 1 / norm)) : inverseTimes(pairs, gamma, gradient)
      if (loss !== undefined) {
        const start = loss(values)
        const slope = -lr * dot(gradient, direction)
        let step = 1
        let trials = 6
        while (trials > 0 && loss(sum(1, values, -lr * step, direction)) > start + 1e-4 * step * slope) {
          step /= 2
          trials--
        }
        if (trials === 0) {
          step = 0
          pairs = []
          gamma = 1
        }
        direction = direction.map((value) => step * value)
      }
      return direction
    }
  })
}
