import { activeFactors } from '../../precondition/factors.js'
import { countElements } from '../describe.js'
import type { RulePlan } from '../rule.js'
import type { AdamInBasesSettings, AdamInBasesState } from './adam-in-bases.js'

/** What Adam in eigenbases holds and does. */
export function planAdamInBases(settings: AdamInBasesSettings, state: AdamInBasesState): RulePlan {
  const specs = state.plan.parameters
  const total = countElements(specs)
  const costs = state.blocks.map(({ factors: group }) => {
    const { bucket } = group
    const full = activeFactors(group)
    const blocks = bucket.blocks.length
    const sum = (pick: (size: number) => number) => full.reduce((partial, { size }) => partial + pick(size), 0)
    const isMatrix = group.input !== undefined
    const rotation = isMatrix ? 'kronApply' : 'modeProduct'
    const whitening = settings.isWhitened ? full.length : 0
    return {
      plan: {
        shape: bucket.shape,
        blocks,
        kernels: [
          ...(full.length > 0 ? [`gram x ${full.length}`, `${rotation} x 2`] : []),
          ...(whitening > 0 ? [`kronSolve x ${2 * whitening}`] : []),
          ...(full.length > 0 ? [`eigh (${settings.update}) x ${full.length}`] : []),
        ],
      },
      // Two moments, the gradient in and out of the bases, the stack; statistic and basis of every factor.
      bytes:
        4 * blocks * ((isMatrix ? 6 : 5) * bucket.size + sum((n) => n * n + (settings.isWhitened ? n : 0))) +
        full.reduce((total, { statistic }) => total + statistic.bytes, 0),
      // Gram matrices n size, two rotations of 2 n size each.
      flopsPerStep: blocks * sum((n) => (settings.isWhitened ? 9 : 5) * n * bucket.size),
      // Orthogonal iteration 7 n^3 or eigh 10 n^3; cosines 2 n^3 and both moments turned, 4 n size.
      flopsPerRefresh: blocks * sum((n) => (settings.update === 'iterate' ? 9 : 12) * n ** 3 + 4 * n * bucket.size),
      // Whitening by the other side, if it has a factor, and three calls for the eigenvalues.
      callsPerStep: full.length > 0 ? full.length + 2 + (full.length > 1 ? 4 : 3) * whitening : 0,
      // The basis, cosines and their squares, both moments turned; two products for the eigenvalues.
      callsPerRefresh: (settings.isWhitened ? 7 : 5) * full.length,
    }
  })
  const sum = (pick: (cost: (typeof costs)[number]) => number) =>
    costs.reduce((partial, cost) => partial + pick(cost), 0)
  return {
    rule: settings.name,
    parameters: specs.length,
    elements: total,
    buckets: costs.map(({ plan }) => plan),
    bytes: 4 * total + sum(({ bytes }) => bytes),
    flopsPerStep: 12 * total + sum(({ flopsPerStep }) => flopsPerStep),
    flopsPerRefresh: sum(({ flopsPerRefresh }) => flopsPerRefresh),
    nativeCallsPerStep: sum(({ callsPerStep }) => callsPerStep),
    nativeCallsPerRefresh: sum(({ callsPerRefresh }) => callsPerRefresh),
  }
}
