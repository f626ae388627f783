// One set of inputs, our variants and the peers on it, and the rows that come of it.
import type { Device } from '../lib/index.js'
import { type Budget, interleaved } from './harness.js'
import type { Machine, Peak } from './machine.js'
import type { JaxPeer } from './peers/jax.js'
import type { MlMatrixPeer } from './peers/ml-matrix.js'
import type { OpenblasPeer } from './peers/openblas.js'
import { type Measured, measured, type Side } from './row.js'

/** What every subject is given. A peer that is not installed is absent. */
export interface Context {
  readonly quick: boolean
  readonly budget: Budget
  readonly device: Device
  /** The fp64 reference backend. */
  readonly reference: Device
  readonly machine: Machine
  readonly openblas: OpenblasPeer | undefined
  readonly mlMatrix: MlMatrixPeer | undefined
  readonly jax: JaxPeer | undefined
  log(line: string): void
}

export interface Participant {
  /** One call on input set `round` modulo the number of sets. */
  run(round: number): void | Promise<void>
  /** Accuracy of run(0); null where it is not measured. */
  error(): number | null | Promise<number | null>
}

/** A variant of ours. */
export interface Own extends Participant {
  readonly method: string | (() => string)
  /** Type of the operands of its products, whose peak it counts against. Default: the type of the matrices. */
  readonly operands?: keyof Peak
  /** Floating-point operations of one call, known after it ran. */
  flop(): number | null
}

export interface Peer extends Participant {
  readonly name: string
  /** Matrices of the batch that one call computes; the time is scaled to the batch (for peers that loop over it). */
  readonly matrices: number
  /** Which of our variants it is compared with; default all. */
  readonly against?: readonly Own[]
}

export interface Contest {
  readonly op: string
  readonly n: number
  readonly batch: number
  readonly dtype: 'f32' | 'f64'
  readonly condition: number | null
  readonly own: readonly Own[]
  readonly peers: readonly Peer[]
}

/** Runs the contest: times interleaved, then accuracy, then one row per pair. */
export async function hold(contest: Contest, context: Context): Promise<Measured[]> {
  const { device, machine, budget } = context
  const { op, n, batch, dtype, condition, own, peers } = contest
  const participants: readonly Participant[] = [...own, ...peers]
  const timings = await interleaved(
    participants.map((participant, i) => ({ name: String(i), run: (round) => participant.run(round) })),
    budget,
  )
  const side = async (participant: Participant, share: number): Promise<Side> => {
    const { median, spread } = timings[participants.indexOf(participant)]!
    await participant.run(0)
    return { ms: median / share, spread, error: await participant.error() }
  }
  const peerSides = new Map<Peer, Side>()
  for (const peer of peers) peerSides.set(peer, await side(peer, peer.matrices / batch))

  const rows: Measured[] = []
  const subject = { op, n, batch, dtype, condition, device: device.kind, isa: device.isa }
  for (const variant of own) {
    const { method } = variant
    const result = await side(variant, 1)
    const ours = { ...result, method: typeof method === 'string' ? method : method(), flop: variant.flop() }
    const rivals = peers.filter(({ against }) => against === undefined || against.includes(variant))
    for (const peer of rivals.length > 0 ? rivals : [null]) {
      const rival = peer && { ...peerSides.get(peer)!, name: peer.name }
      rows.push(measured(subject, ours, rival, machine.peak?.[variant.operands ?? dtype] ?? null))
    }
  }
  return rows
}
