import { checkFields, KronrootError, shown } from '../errors.js'
import { numberIn, oneOf, optionError } from './validate.js'

/**
 * What a parameter is to its network: `hidden` a weight between two widths that grow, `input` one from a width that does not,
 * `head` one to a width that does not, `embedding` a table of rows that are looked up, [rows, width], `bias` and `norm`
 * vectors of a width.
 */
export type MupRole = 'hidden' | 'input' | 'head' | 'embedding' | 'bias' | 'norm'

/** Which rule the learning rate is for; see {@link mup}. A Shampoo with a graft of Adam's or with its norms is `adam`. */
export type MupOptimizer = 'adam' | 'sgd' | 'muon' | 'soap' | 'shampoo' | 'normalized'

/** Options of {@link mup}. */
export interface MupOptions {
  readonly optimizer: MupOptimizer
  readonly role: MupRole
  /** Shape in the network whose learning rate was tuned. */
  readonly base: readonly number[]
  /** Shape in the network that is to be trained. */
  readonly shape: readonly number[]
  /** Which dimension counts outputs, as in `muon`; not for embeddings and vectors. Default `first`. */
  readonly outputs?: 'first' | 'last'
  /** Depth of the network over that of the base, where residual branches are scaled by one over it. Default 1. */
  readonly depth?: number
  /** Muon: the scale that the rule applies already. Default `spectral`, as there. */
  readonly scale?: 'spectral' | 'match-rms-adamw' | 'unit-rms' | 'none'
  /** Shampoo: exponent k of each side, > 0. Default 1 / (2 order), as there. */
  readonly exponent?: number
  /** Shampoo: sides that are preconditioned. Default: the order, 1 or 2. */
  readonly sides?: 1 | 2
  /** Shampoo and SOAP: largest dimension of a block. Default: no blocks. */
  readonly blockSize?: number
}

/** Factors on the numbers of the base network. */
export interface MupMultipliers {
  /** On the learning rate. */
  readonly lr: number
  /** On the standard deviation of the initialization. */
  readonly initialization: number
  /** On an `independent` weight decay; a decoupled one follows the learning rate by itself. */
  readonly independentWeightDecay: number
}

/** A parameter as a map from inputs to outputs. */
interface Fans {
  readonly inputs: number
  readonly outputs: number
}

/**
 * muP: factors with which the learning rate and the initialization of a narrow network carry over to a wide one, so that
 * every activation and its change in a step stay of order one. Each factor is f(shape) / f(base), from
 *
 *     adam         1 / d_in                     sgd    N d_out / d_in
 *     muon         sqrt(d_out / d_in) / scale   soap   sqrt(d_out / d_in) (b_in b_out)^(-1/2)
 *     shampoo      N^(1 - 2 E) (d_out / d_in)^(1 - E) (b_in b_out)^(-E),   E = sides k
 *     normalized   1: sqrt(d_out / d_in) is in the update already, as with muon's `unit-rms`
 *     initialization            min(1, sqrt(d_out / d_in)) / sqrt(d_in)
 *     independent weight decay  1 / d_in
 *
 * with b the number of blocks of a side and N the depth ratio, for `hidden` alone. Vectors and embeddings have d_in = 1. Two
 * notes: the output of a head must be small at the start but not zero, and attention scores want 1 / d, not 1 / sqrt(d).
 *
 * Source: Yang et al., Tensor Programs V, arXiv 2203.03466, tables 3 and 8; initialization: Yang, Simon and Bernstein, A
 * Spectral Condition for Feature Learning, arXiv 2310.17813; matrix preconditioners: arXiv 2512.05620.
 *
 * @throws ERR_OPTION for a rule that does not take the role: muon for vectors.
 */
export function mup(options: MupOptions): MupMultipliers {
  const owner = 'mup'
  checkFields(owner, options, Object.keys(FIELDS))
  const optimizer = oneOf(owner, 'optimizer', options.optimizer, Object.keys(FACTORS) as MupOptimizer[])
  const role = oneOf(owner, 'role', options.role, ROLES)
  const outputs = oneOf(owner, 'outputs', options.outputs ?? 'first', ['first', 'last'])
  const depth = numberIn(owner, 'depth', options.depth ?? 1, { above: 0 })
  const base = fansOf('base', options.base, role, outputs)
  const actual = fansOf('shape', options.shape, role, outputs)
  const isVector = base.inputs === 1 && VECTORS.has(role)
  if (isVector && optimizer === 'muon') {
    throw optionError(owner, 'optimizer', optimizer, `another one for role '${role}': muon takes matrices`)
  }
  const settings = checkedSettings(options, isVector)
  const factor = FACTORS[optimizer]
  return {
    lr:
      (factor(actual, settings, role === 'hidden' ? depth : 1) / factor(base, settings, 1)) *
      (optimizer === 'muon' ? settings.scale(base) / settings.scale(actual) : 1),
    initialization: spread(actual) / spread(base),
    independentWeightDecay: base.inputs / actual.inputs,
  }
}

const FIELDS: Record<keyof MupOptions, true> = {
  optimizer: true,
  role: true,
  base: true,
  shape: true,
  outputs: true,
  depth: true,
  scale: true,
  exponent: true,
  sides: true,
  blockSize: true,
}

const ROLES: readonly MupRole[] = ['hidden', 'input', 'head', 'embedding', 'bias', 'norm']
const VECTORS: ReadonlySet<MupRole> = new Set(['embedding', 'bias', 'norm'])

/** Of `muon`; its own table is in lib/optim, which this folder does not import. */
const SCALES: Record<NonNullable<MupOptions['scale']>, (fans: Fans) => number> = {
  spectral: ({ inputs, outputs }) => Math.sqrt(Math.max(1, outputs / inputs)),
  'match-rms-adamw': ({ inputs, outputs }) => 0.2 * Math.sqrt(Math.max(outputs, inputs)),
  'unit-rms': ({ inputs, outputs }) => Math.sqrt(outputs / inputs),
  none: () => 1,
}

interface Settings {
  readonly scale: (fans: Fans) => number
  /** E, sides times exponent. */
  readonly exponent: number
  readonly blockSize: number
}

function checkedSettings(options: MupOptions, isVector: boolean): Settings {
  const owner = 'mup'
  const order = isVector ? 1 : 2
  const { sides = order } = options
  if (sides !== 1 && sides !== 2) throw optionError(owner, 'sides', sides, '1 or 2')
  const exponent = numberIn(owner, 'exponent', options.exponent ?? 1 / (2 * order), { above: 0 })
  const blockSize = numberIn(owner, 'blockSize', options.blockSize ?? Number.MAX_SAFE_INTEGER, {
    min: 1,
    integer: true,
  })
  const scale = oneOf(owner, 'scale', options.scale ?? 'spectral', Object.keys(SCALES) as (keyof typeof SCALES)[])
  return { scale: SCALES[scale], exponent: sides * exponent, blockSize }
}

/** Blocks of both sides together. */
function blocksOf({ inputs, outputs }: Fans, { blockSize }: Settings): number {
  return Math.ceil(inputs / blockSize) * Math.ceil(outputs / blockSize)
}

const FACTORS: Record<MupOptimizer, (fans: Fans, settings: Settings, depth: number) => number> = {
  adam: ({ inputs }) => 1 / inputs,
  sgd: ({ inputs, outputs }, _, depth) => (depth * outputs) / inputs,
  muon: ({ inputs, outputs }) => Math.sqrt(outputs / inputs),
  soap: (fans, settings) => Math.sqrt(fans.outputs / fans.inputs / blocksOf(fans, settings)),
  shampoo: (fans, settings, depth) => {
    const { exponent } = settings
    return (
      depth ** (1 - 2 * exponent) *
      (fans.outputs / fans.inputs) ** (1 - exponent) *
      blocksOf(fans, settings) ** -exponent
    )
  },
  normalized: () => 1,
}

const spread = ({ inputs, outputs }: Fans) => Math.min(1, Math.sqrt(outputs / inputs)) / Math.sqrt(inputs)

function fansOf(field: string, shape: readonly number[], role: MupRole, outputs: 'first' | 'last'): Fans {
  const isShape = Array.isArray(shape) && shape.length > 0 && shape.every((size) => Number.isInteger(size) && size > 0)
  if (!isShape)
    throw new KronrootError('ERR_OPTION', `mup: ${field} must be a list of integers > 0, got ${shown(shape)}`)
  const size = shape.reduce((product, dimension) => product * dimension, 1)
  const last = shape[shape.length - 1]!
  if (role === 'embedding') return { inputs: 1, outputs: last }
  if (role === 'bias' || role === 'norm') return { inputs: 1, outputs: size }
  if (shape.length < 2) {
    throw new KronrootError(
      'ERR_OPTION',
      `mup: ${field} must have two or more dimensions for role '${role}', got ${shown(shape)}`,
    )
  }
  const out = outputs === 'first' ? shape[0]! : last
  return { inputs: size / out, outputs: out }
}
