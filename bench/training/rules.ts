// The rules of the study, everything fixed but the learning rate. All are run on matrices and vectors: a kernel of a
// convolution is the matrix of its patches, [height width in, out], for every rule.
import type { Device } from '../../lib/index.js'
import {
  adamw,
  klShampoo,
  muon,
  Optimizer,
  type ParameterGroupOptions,
  psgdKron,
  type Rule,
  type Schedule,
  shampoo,
  soap,
  splus,
} from '../../lib/optim/index.js'
import type { Parameter } from '../../lib/train/parameter.js'
import type { Trainee } from '../../lib/train/training-run.js'

export const ruleNames = ['adamw', 'muon', 'shampoo', 'soap', 'klShampoo', 'splus', 'psgdKron'] as const
export type RuleName = (typeof ruleNames)[number]

/** The rule that sets the target. */
export const baselineRule: RuleName = 'adamw'

// AdamW's final loss by betas, the best of learning rates 0.002 to 0.016 (seed 0); on the autoencoder see contenders.ts:
//     beta1, beta2                        0.9, 0.999   0.9, 0.99   0.9, 0.95   0.8, 0.95   0.8, 0.99
//     digits, 250 steps of 32                  0.368       0.360       0.359       0.328       0.335
//     characters, 300 steps of 64              2.592       2.588       2.600       2.571       2.591
// Smaller beta1 gains nothing more. What the others are measured against gets what serves it, and so does AdamW inside them.
const betas = { beta1: 0.8, beta2: 0.95 }
const baseline = () => adamw(betas)

export interface StudiedRule {
  readonly title: string
  /** Options in words. */
  readonly description: string
  /** Rules of the matrices, of the embedding, of the vectors. */
  create(): { readonly matrices: Rule; readonly embeddings: Rule; readonly vectors: Rule }
}

const refresh = { every: 10 }

/** One rule for everything. */
const everywhere = (rule: Rule) => ({ matrices: rule, embeddings: rule, vectors: rule })

export const studiedRules: Record<RuleName, StudiedRule> = {
  adamw: {
    title: 'AdamW',
    description: 'beta1 0.8, beta2 0.95, no weight decay',
    create: () => everywhere(baseline()),
  },
  muon: {
    title: 'Muon',
    description: "momentum 0.95, Nesterov, 5 quintic steps, AdamW's RMS; biases and embeddings by AdamW",
    create: () => ({
      matrices: muon({ scale: 'match-rms-adamw', outputs: 'last' }),
      embeddings: baseline(),
      vectors: baseline(),
    }),
  },
  shampoo: {
    title: 'Shampoo',
    description: 'beta1 0.8, beta2 0.95, exponents -1/4, roots every 10 steps, norms grafted from AdamW',
    create: () => everywhere(shampoo({ ...betas, merge: 'none', refresh, graft: baseline() })),
  },
  soap: {
    title: 'SOAP',
    description: 'beta1 0.8, beta2 0.95, bases every 10 steps by orthogonal iteration; vectors by Adam',
    create: () => everywhere(soap({ ...betas, refresh })),
  },
  // Without a graft the half powers of the first, rank-deficient factors throw the weights far away: losses above 1000 on the
  // digits. Ridge 1e-6 and 1e-3 with the graft: losses of 0.36 and 0.33 there.
  klShampoo: {
    title: 'KL-Shampoo',
    description:
      'beta1 0.8, beta2 0.95, exponents -1/2, relative ridge 1e-3, roots every 10 steps, norms grafted from AdamW; biases and embeddings by AdamW',
    create: () => ({
      matrices: klShampoo({ ...betas, merge: 'none', ridge: { relative: 1e-3 }, refresh, graft: baseline() }),
      embeddings: baseline(),
      vectors: baseline(),
    }),
  },
  splus: {
    title: 'SPlus',
    description: 'beta1 0.9, beta2 0.95, bases every 10 steps, weights averaged with 0.95',
    create: () => everywhere(splus({ beta2: 0.95, averageBeta: 0.95, refresh })),
  },
  psgdKron: {
    title: 'PSGD Kron',
    description: 'beta1 0.9, preconditioner updated every step with 0.1',
    create: () => everywhere(psgdKron()),
  },
}

/** What `train` makes an optimizer of. */
export function trainee(name: RuleName): Trainee {
  return {
    name,
    create(device: Device, parameters: readonly Parameter[], lr: Schedule): Optimizer {
      const rules = studiedRules[name].create()
      const groups = new Map<Rule, Parameter[]>()
      for (const parameter of parameters.map(asMatrix)) {
        const rule = rules[roleOf(parameter)]
        groups.set(rule, [...(groups.get(rule) ?? []), parameter])
      }
      const list: ParameterGroupOptions[] = [...groups].map(([rule, params]) => ({ params, rule, lr }))
      return new Optimizer(device, list)
    },
  }
}

function roleOf({ name, shape }: Parameter): 'matrices' | 'embeddings' | 'vectors' {
  if (name === 'embedding') return 'embeddings'
  return shape.length === 1 ? 'vectors' : 'matrices'
}

/** The same values; dimensions but the last are one. */
function asMatrix({ name, value, shape }: Parameter): Parameter {
  const outputs = shape.at(-1)!
  return { name, value, shape: shape.length > 2 ? [value.length / outputs, outputs] : shape }
}
