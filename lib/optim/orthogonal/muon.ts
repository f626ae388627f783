import type { Device } from '../../device.js'
import { checkFields, KronrootError } from '../../errors.js'
import { type CoefficientTable, type OrthogonalizeOptions, orthogonalize } from '../../linalg/orthogonalize.js'
import {
  copyAll,
  disposeArrays,
  held,
  keepsArrays,
  type ParameterArray,
  withViews,
  zeros,
} from '../../precondition/arrays.js'
import { elements } from '../../precondition/plan.js'
import { FailureLedger, raiseWhereExhausted } from '../../precondition/recovery.js'
import type { Schedule } from '../../schedule/schedule.js'
import { boolean, hyperparameter, numberIn, oneOf, optionError } from '../../schedule/validate.js'
import { Tensor } from '../../tensor.js'
import { countElements } from '../describe.js'
import { updateAll } from '../elementwise.js'
import type { Gradients, ParameterSpec, Rule, RuleContext, RulePlan } from '../rule.js'
import { arraySlot } from '../slots.js'

/** Which factor an orthogonalized matrix of `outputs` x `inputs` gets; see {@link muon}. */
export type MuonScale = 'spectral' | 'match-rms-adamw' | 'unit-rms' | 'none'

/** Options of {@link muon}. */
export interface MuonOptions {
  /** Decay mu of the gradient's average, 0 <= mu < 1. Default 0.95. */
  readonly momentum?: Schedule
  /** Orthogonalize (1 - mu) g + mu M instead of M. Default true. */
  readonly nesterov?: boolean
  /** Default `newton-schulz`; `gram-newton-schulz` is cheaper for long rectangles, `polar` is exact. */
  readonly method?: OrthogonalizeOptions['method']
  /** Coefficients of the iteration: a named table or triples [a, b, c]. Default `quintic`, Muon's own. Not for `polar`. */
  readonly table?: OrthogonalizeOptions['table']
  /** Number of iterations, >= 1. Default: what the table was published for (quintic: 5). Not for `polar`. */
  readonly steps?: number
  /** `bf16` rounds the operands of the products, see `orthogonalize`. Default `full`. For `newton-schulz`. */
  readonly precision?: OrthogonalizeOptions['precision']
  /** Factor of the update by shape. Default `spectral`. */
  readonly scale?: MuonScale
  /**
   * Which dimension of a weight counts its outputs: `first` (PyTorch, [out, in, ...]) or `last` (jax and TensorFlow,
   * [..., in, out]). It decides how tensors of order > 2 become matrices and what `scale` sees. Default `first`.
   */
  readonly outputs?: 'first' | 'last'
  /** Consecutive failures of one matrix without an error. Default 3. */
  readonly toleratedFailures?: number
}

interface MuonParameter {
  readonly spec: ParameterSpec
  readonly momentum: ParameterArray
  readonly direction: ParameterArray
  /** Factor of the update. */
  readonly factor: number
}

/** Matrices of one shape, in one stack. */
interface MuonBucket {
  readonly rows: number
  readonly columns: number
  /** Indices of the parameters. */
  readonly members: readonly number[]
  /** On the host; undefined where matrices go straight to `input` and come from `output`. */
  readonly stack: Float32Array | undefined
  readonly input: Tensor
  readonly output: Tensor
  readonly ledger: FailureLedger
}

/** State of {@link muon}. */
export interface MuonState {
  readonly device: Device
  readonly parameters: readonly MuonParameter[]
  readonly buckets: readonly MuonBucket[]
}

const SCALES: Record<MuonScale, (outputs: number, inputs: number) => number> = {
  spectral: (outputs, inputs) => Math.sqrt(Math.max(1, outputs / inputs)),
  'match-rms-adamw': (outputs, inputs) => 0.2 * Math.sqrt(Math.max(outputs, inputs)),
  'unit-rms': (outputs, inputs) => Math.sqrt(outputs / inputs),
  none: () => 1,
}

/**
 * Muon: momentum, orthogonalized by Newton-Schulz,
 *
 *     M <- mu M + (1 - mu) G
 *     B = (1 - mu) G + mu M with Nesterov, else M
 *     D = s U V^T,  B = U S V^T
 *
 * for weights of order >= 2; tensors of higher order are flattened to outputs x everything else. The average is the same
 * method as the heavy ball M <- mu M + G, B = G + mu M: the two differ by the factor 1 - mu, which orthogonalization
 * removes. Factors s of the update:
 *
 *     spectral          sqrt(max(1, out / in))      Jordan's
 *     match-rms-adamw   0.2 sqrt(max(out, in))      entries as large as AdamW's; its learning rates carry over
 *     unit-rms          sqrt(out / in)              operator norm from RMS to RMS of 1
 *     none              1
 *
 * Equal shapes of the group are stacked and take one native call. Biases, norms and embeddings belong to another rule.
 * State: 1 fp32 number an element. A gradient average of exactly zero gives a direction of zero.
 *
 * Source: Jordan et al., Muon, 2024 (kellerjordan.github.io/posts/muon); scales: Liu et al., arXiv 2502.16982, section
 * 2.2; Bernstein and Newhouse, arXiv 2409.20325.
 */
export function muon(options: MuonOptions = {}): Rule<MuonState> {
  const known = [
    'momentum',
    'nesterov',
    'method',
    'table',
    'steps',
    'precision',
    'scale',
    'outputs',
    'toleratedFailures',
  ]
  checkFields('muon', options, known)
  const momentum = hyperparameter('muon', 'momentum', options.momentum ?? 0.95, { min: 0, below: 1 })
  const nesterov = boolean('muon', 'nesterov', options.nesterov ?? true)
  const scaleOf = SCALES[oneOf('muon', 'scale', options.scale ?? 'spectral', Object.keys(SCALES) as MuonScale[])]
  const outputs = oneOf('muon', 'outputs', options.outputs ?? 'first', ['first', 'last'])
  const tolerated = numberIn('muon', 'toleratedFailures', options.toleratedFailures ?? 3, { min: 0, integer: true })
  const iteration = iterationOf(options)
  return {
    name: 'muon',
    init: (parameters, device) => createState(parameters, device, outputs, scaleOf, tolerated),
    update: (gradients, state, context) => {
      const filtered = context.clock.time('statistics', () =>
        filterGradients(state, gradients, momentum(context.step), nesterov),
      )
      return orthogonalizeAll(state, filtered, iteration, context)
    },
    describe: (state) => describeMuon(state, options),
    slots: (state) => [
      ...state.parameters.map(({ spec, momentum: average }) => arraySlot(`${spec.name}/momentum`, average)),
      ...state.buckets.flatMap(({ members, ledger }) =>
        members.map((parameter, index) =>
          arraySlot(`${state.parameters[parameter]!.spec.name}/failures`, ledger.consecutive, index, 1),
        ),
      ),
    ],
    report: (state) =>
      state.buckets.map(({ rows, columns, ledger }) => ({ factor: `${rows}x${columns}`, ...ledger.summary() })),
    dispose: (state) => {
      disposeArrays(state.parameters.flatMap(({ momentum: average, direction }) => [average, direction]))
      for (const { input, output } of state.buckets) {
        input.dispose()
        output.dispose()
      }
    },
  }
}

const METHODS = ['newton-schulz', 'gram-newton-schulz', 'polar'] as const

const TABLES: readonly CoefficientTable[] = [
  'quintic',
  'jiacheng',
  'polar-express',
  'cans',
  'aol',
  'deepseek',
  'cubic',
  'modula',
]

/** What `orthogonalize` is called with. */
function iterationOf({ method, table, steps, precision }: MuonOptions): OrthogonalizeOptions {
  const checked = oneOf('muon', 'method', method ?? 'newton-schulz', METHODS)
  if (steps !== undefined) numberIn('muon', 'steps', steps, { min: 1, max: 1000, integer: true })
  if (table !== undefined && !Array.isArray(table)) oneOf('muon', 'table', table, TABLES)
  oneOf('muon', 'precision', precision ?? 'full', ['full', 'bf16'])
  if (precision === 'bf16' && checked !== 'newton-schulz')
    throw optionError('muon', 'precision', precision, `'full', because method is '${checked}'`)
  if (checked !== 'polar') return { method: checked, table: table ?? 'quintic', steps, precision }
  if (table !== undefined) throw optionError('muon', 'table', table, "left out, because method is 'polar'")
  if (steps !== undefined) throw optionError('muon', 'steps', steps, "left out, because method is 'polar'")
  return { method: checked }
}

/** Matrix shape of a weight: outputs are the first or the last dimension, everything else is the other side. */
function flatten(spec: ParameterSpec, outputs: 'first' | 'last'): readonly [rows: number, columns: number] {
  const { name, shape } = spec
  if (shape.length < 2) {
    throw new KronrootError(
      'ERR_SHAPE',
      `muon: ${name} has shape [${shape.join(', ')}], but only weights of two or more dimensions can be orthogonalized; ` +
        'put biases, norms and other vectors in a group with another rule, for example adamw()',
    )
  }
  const size = elements(shape)
  if (size === 0) return [0, 0]
  const first = shape[0]!
  const last = shape[shape.length - 1]!
  return outputs === 'first' ? [first, size / first] : [size / last, last]
}

function createState(
  specs: readonly ParameterSpec[],
  device: Device,
  outputs: 'first' | 'last',
  scaleOf: (outputs: number, inputs: number) => number,
  toleratedFailures: number,
): MuonState {
  const shapes = specs.map((spec) => flatten(spec, outputs))
  const members = new Map<string, number[]>()
  shapes.forEach(([rows, columns], index) => {
    if (rows * columns === 0) return
    const key = `${rows}x${columns}`
    members.set(key, [...(members.get(key) ?? []), index])
  })
  return {
    device,
    parameters: specs.map((spec, index) => {
      const [rows, columns] = shapes[index]!
      const factor = outputs === 'first' ? scaleOf(rows, columns) : scaleOf(columns, rows)
      const size = rows * columns
      return { spec, momentum: zeros(device, size), direction: zeros(device, size), factor }
    }),
    buckets: [...members.values()].map((indices) => {
      const [rows, columns] = shapes[indices[0]!]!
      const shape = [indices.length, rows, columns]
      return {
        rows,
        columns,
        members: indices,
        stack: keepsArrays(device) ? undefined : new Float32Array(indices.length * rows * columns),
        input: held(device.empty(shape, { dtype: 'f32' })),
        output: held(device.empty(shape, { dtype: 'f32' })),
        ledger: new FailureLedger(
          indices.map((index) => specs[index]!.name),
          toleratedFailures,
        ),
      }
    }),
  }
}

/** Momentum of every parameter with a gradient; returns what is to be orthogonalized. */
function filterGradients(state: MuonState, gradients: Gradients, mu: number, nesterov: boolean): Gradients {
  const weights = { mDecay: mu, mWeight: 1 - mu, fromGradient: 1 - mu, fromM: mu }
  const entries = state.parameters.map(({ momentum, direction }, index) => {
    const gradient = gradients[index]
    return gradient ? { gradient, m: momentum, ...weights, ...(nesterov ? { direction } : {}) } : null
  })
  updateAll(state.device, 'momentum', entries)
  return entries.map((entry) => entry && (entry.direction ?? entry.m))
}

function orthogonalizeAll(
  state: MuonState,
  filtered: Gradients,
  iteration: OrthogonalizeOptions,
  { clock }: RuleContext,
): Gradients {
  const directions: (ParameterArray | null)[] = filtered.map((source, index) =>
    source === null ? null : state.parameters[index]!.direction,
  )
  clock.time('apply', () => {
    for (const bucket of state.buckets) {
      if (bucket.members.every((parameter) => filtered[parameter] === null)) continue
      for (const failed of orthogonalizeBucket(bucket, filtered, iteration)) directions[failed] = null
    }
    unstackAll(state, directions)
  })
  raiseWhereExhausted(
    'muon',
    state.buckets.map((bucket) => bucket.ledger),
  )
  return directions
}

/** One native call for a stack; returns the parameters that got no answer. Absent ones are zero in the stack. */
function orthogonalizeBucket(
  bucket: MuonBucket,
  filtered: Gradients,
  iteration: OrthogonalizeOptions,
): readonly number[] {
  const { members, stack, input, output, ledger } = bucket
  stackAll(bucket, filtered)
  const { report } = orthogonalize(input, { ...iteration, out: output })
  if (stack !== undefined) output.read(stack)
  return ledger.record(report, (index) => filtered[members[index]!] !== null).map((index) => members[index]!)
}

/** Matrices into the stack of a bucket, zeros for those that are absent. */
function stackAll({ members, stack, rows, columns, input }: MuonBucket, filtered: Gradients): void {
  const size = rows * columns
  withViews((views) => {
    const copies = members.flatMap((parameter, index) => {
      const from = filtered[parameter]
      const to = views.of(stack ?? input, index * size, size)
      if (from && stack === undefined) return [{ from, to }]
      if (from) (to as Float32Array).set(from as Float32Array)
      else if (Tensor.isTensor(to)) to.write(new Float32Array(size))
      else to.fill(0)
      return []
    })
    copyAll(input.device, copies)
  })
  if (stack !== undefined) input.write(stack)
}

/** Directions out of the stacks, times their factors. */
function unstackAll({ device, buckets, parameters }: MuonState, directions: Gradients): void {
  withViews((views) => {
    const copies = buckets.flatMap(({ members, stack, rows, columns, output }) => {
      const size = rows * columns
      return members.flatMap((parameter, index) => {
        const to = directions[parameter]
        const from = views.of(stack ?? output, index * size, size)
        return to ? [{ from, to, factor: parameters[parameter]!.factor }] : []
      })
    })
    copyAll(device, copies)
  })
}

/** Iterations assumed in FLOP counts where the caller leaves the number to the table. */
const ASSUMED_STEPS = 5

function describeMuon(state: MuonState, options: MuonOptions): RulePlan {
  const specs = state.parameters.map(({ spec }) => spec)
  const total = countElements(specs)
  const steps = options.steps ?? ASSUMED_STEPS
  return {
    rule: 'muon',
    parameters: specs.length,
    elements: total,
    buckets: state.buckets.map(({ rows, columns, members }) => ({
      shape: [rows, columns],
      blocks: members.length,
      kernels: [`orthogonalize (${options.method ?? 'newton-schulz'})`],
    })),
    // Momentum and direction, the host stack, and the stack going into and coming out of the native call.
    bytes: 4 * (2 * total + 3 * state.buckets.reduce((sum, { input }) => sum + input.size, 0)),
    // A Newton-Schulz step on m x n, m <= n: Gram matrix and product 4 m^2 n, square 2 m^3.
    flopsPerStep: state.buckets.reduce((sum, { rows, columns, members }) => {
      const [m, n] = rows < columns ? [rows, columns] : [columns, rows]
      return sum + members.length * steps * (4 * m * m * n + 2 * m * m * m)
    }, 6 * total),
    flopsPerRefresh: 0,
    nativeCallsPerStep: state.buckets.length,
    nativeCallsPerRefresh: 0,
  }
}
