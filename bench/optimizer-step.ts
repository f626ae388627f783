// What a step of an optimizer costs, by shapes of real networks: time split into statistics, refresh and the rest, the slowest
// step against the median, bytes, native calls; and what a whole training step costs beside the gradient.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Device } from '../lib/index.js'
import {
  adamw,
  muon,
  Optimizer,
  type Parameter,
  type ParameterSpec,
  type Rule,
  shampoo,
  soap,
} from '../lib/optim/index.js'
import { autoencoder } from '../lib/train/autoencoder.js'
import { BatchOrder } from '../lib/train/batches.js'
import { gather, trainingImages } from '../lib/train/mnist.js'
import type { Context } from './contest.js'
import { quantile } from './harness.js'
import { type LayerSuite, suites } from './layer-suites.js'

/** One rule on one suite. Times in milliseconds. */
export interface StepCost {
  readonly suite: string
  readonly rule: string
  readonly steps: number
  readonly median: number
  readonly slowest: number
  /** Means over the steps. */
  readonly mean: number
  readonly statistics: number
  readonly refresh: number
  readonly apply: number
  /** Mean over that of AdamW on the same suite. */
  readonly overAdamw: number | null
  readonly bytes: number
  /** Calls on stacks of matrices, as the plan counts them. */
  readonly callsPerStep: number
  readonly callsPerRefresh: number
}

/** A whole training step of the autoencoder: gradient by jax-js and optimizer, in milliseconds. */
export interface TrainingStepCost {
  readonly rule: string
  readonly batch: number
  readonly gradient: number
  readonly optimizer: number
  /** Of gradient and optimizer together, over that of AdamW. */
  readonly overAdamw: number
}

export interface OptimizerStepResult {
  readonly steps: readonly StepCost[]
  readonly training: readonly TrainingStepCost[]
}

interface Setting {
  readonly rule: string
  readonly hidden: () => Rule
  /** Steps that are timed, after one that is not. */
  readonly steps: number
  /** One optimizer for each parameter: no stacks. */
  readonly isAlone?: boolean
}

const matrices = { merge: { threshold: 8192, target: 2 }, blockSize: 8192 } as const
const blocks = { merge: { threshold: 8192, target: 2 }, blockSize: 1024 } as const

const settings: Record<keyof typeof suites, readonly Setting[]> = {
  autoencoder: [
    { rule: 'adamw', hidden: () => adamw(), steps: 200 },
    { rule: 'muon', hidden: () => muon(), steps: 100 },
    ...[1, 10, 20, 100].map((every) => ({
      rule: `shampoo, refresh ${every}`,
      hidden: () => shampoo({ ...matrices, beta2: 0.95, graft: 'adam' as const, refresh: { every, start: 1 } }),
      steps: Math.max(40, 2 * every),
    })),
    {
      rule: 'shampoo, refresh 20, staggered',
      hidden: () =>
        shampoo({ ...matrices, beta2: 0.95, graft: 'adam', refresh: { every: 20, start: 1, staggered: true } }),
      steps: 40,
    },
    {
      rule: 'shampoo, refresh 20, off the thread',
      hidden: () =>
        shampoo({ ...matrices, beta2: 0.95, graft: 'adam', refresh: { every: 20, start: 1, staleness: 19 } }),
      steps: 40,
    },
    {
      rule: 'shampoo, refresh 20, parameters one by one',
      hidden: () => shampoo({ ...matrices, beta2: 0.95, graft: 'adam', refresh: { every: 20, start: 1 } }),
      steps: 40,
      isAlone: true,
    },
    ...[1, 10, 100].map((every) => ({
      rule: `soap, refresh ${every}`,
      hidden: () => soap({ refresh: { every } }),
      steps: Math.max(40, 2 * every),
    })),
  ],
  resnet18: [
    { rule: 'adamw', hidden: () => adamw(), steps: 10 },
    { rule: 'muon', hidden: () => muon(), steps: 5 },
    {
      rule: 'shampoo, blocks of 1024, refresh 10',
      hidden: () => shampoo({ ...blocks, beta2: 0.95, graft: 'adam', refresh: { every: 10, start: 1 } }),
      steps: 10,
    },
    {
      rule: 'shampoo, factors up to 4608, refresh 10',
      hidden: () => shampoo({ ...matrices, beta2: 0.95, graft: 'adam', refresh: { every: 10, start: 1 } }),
      steps: 10,
    },
    {
      rule: 'soap, blocks of 1024, refresh 10',
      hidden: () => soap({ ...blocks, refresh: { every: 10 } }),
      steps: 10,
    },
  ],
  gpt2: [
    { rule: 'adamw', hidden: () => adamw(), steps: 10 },
    { rule: 'muon', hidden: () => muon(), steps: 3 },
    {
      rule: 'shampoo, blocks of 1024, refresh 20',
      hidden: () => shampoo({ ...blocks, beta2: 0.95, graft: 'adam', refresh: { every: 20, start: 1 } }),
      steps: 20,
    },
    {
      rule: 'shampoo, blocks of 1024, refresh 20, staggered',
      hidden: () =>
        shampoo({ ...blocks, beta2: 0.95, graft: 'adam', refresh: { every: 20, start: 1, staggered: true } }),
      steps: 20,
    },
    {
      rule: 'shampoo, blocks of 1024, refresh 20, off the thread',
      hidden: () => shampoo({ ...blocks, beta2: 0.95, graft: 'adam', refresh: { every: 20, start: 1, staleness: 19 } }),
      steps: 20,
    },
    {
      rule: 'soap, blocks of 1024, refresh 20, staggered',
      hidden: () => soap({ ...blocks, refresh: { every: 20, staggered: true } }),
      steps: 20,
    },
  ],
}

/** All suites, or with `--quick` the autoencoder and two layers of GPT-2. */
export async function run({ device, quick, log }: Context): Promise<OptimizerStepResult> {
  const chosen: readonly [LayerSuite, readonly Setting[]][] = quick
    ? [
        [suites.autoencoder(), settings.autoencoder],
        [suites.gpt2(2), settings.gpt2],
      ]
    : [
        [suites.autoencoder(), settings.autoencoder],
        [suites.gpt2(), settings.gpt2],
        [suites.resnet18(), settings.resnet18],
      ]
  const steps: StepCost[] = []
  for (const [suite, list] of chosen) {
    for (const setting of list) {
      const cost = await costOf(
        device,
        suite,
        setting,
        steps.find(({ rule, suite: name }) => rule === 'adamw' && name === suite.name),
      )
      log(lineOf(cost))
      steps.push(cost)
    }
  }
  const training = await trainingSteps(device, quick ? 20 : 60)
  for (const cost of training) log(trainingLine(cost))
  return { steps, training }
}

async function costOf(device: Device, suite: LayerSuite, setting: Setting, baseline?: StepCost): Promise<StepCost> {
  const hidden = suite.hidden.map(withValue)
  const others = suite.others.map(withValue)
  const groupsOf = (params: Parameter[]) => [{ params, rule: setting.hidden(), lr: 1e-3 }]
  const optimizers = setting.isAlone
    ? [
        ...hidden.map((parameter) => new Optimizer(device, groupsOf([parameter]))),
        new Optimizer(device, [{ params: others, rule: adamw(), lr: 1e-3 }]),
      ]
    : [new Optimizer(device, [...groupsOf(hidden), { params: others, rule: adamw(), lr: 1e-3 }])]
  const gradients = optimizers.map(({ parameters }, index) =>
    parameters.map((parameter, p) => gradientOf(parameter, 31 * index + p)),
  )
  const plans = optimizers.map((optimizer) => optimizer.describe())
  const times: number[] = []
  const stepAll = () => {
    for (const [index, optimizer] of optimizers.entries()) optimizer.step(gradients[index]!)
  }
  const split = () =>
    optimizers
      .map((optimizer) => optimizer.timings())
      .reduce((sum, one) => ({
        statistics: sum.statistics + one.statistics,
        refresh: sum.refresh + one.refresh,
        apply: sum.apply + one.apply,
      }))
  try {
    stepAll()
    await nextTurn()
    const before = split()
    for (let step = 0; step < setting.steps; step++) {
      const start = performance.now()
      stepAll()
      times.push(performance.now() - start)
      // The gradient of a real loop would come here: time for answers from other threads, not on the clock.
      await nextTurn()
    }
    const after = split()
    const sorted = [...times].sort((a, b) => a - b)
    const mean = times.reduce((sum, time) => sum + time, 0) / times.length
    const sum = (pick: (plan: (typeof plans)[number]) => number) => plans.reduce((total, plan) => total + pick(plan), 0)
    return {
      suite: suite.name,
      rule: setting.rule,
      steps: setting.steps,
      median: quantile(sorted, 0.5),
      slowest: sorted[sorted.length - 1]!,
      mean,
      statistics: (after.statistics - before.statistics) / setting.steps,
      refresh: (after.refresh - before.refresh) / setting.steps,
      apply: (after.apply - before.apply) / setting.steps,
      overAdamw: baseline === undefined ? null : mean / baseline.mean,
      bytes: sum((plan) => plan.bytes),
      callsPerStep: sum((plan) => plan.nativeCallsPerStep),
      callsPerRefresh: sum((plan) => plan.nativeCallsPerRefresh),
    }
  } finally {
    for (const optimizer of optimizers) optimizer.dispose()
  }
}

function withValue({ name, shape }: ParameterSpec): Parameter {
  return { name, shape, value: new Float32Array(shape.reduce((product, extent) => product * extent, 1)) }
}

/** Numbers between -1 and 1 times 0.01, quick to make. */
function gradientOf({ value }: Parameter, seed: number): Float32Array {
  let state = (seed * 2654435761 + 12345) >>> 0
  return Float32Array.from({ length: value.length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return 0.02 * (state / 2 ** 32 - 0.5)
  })
}

/** Batch of the acceptance criterion. */
const batch = 500

/** Gradient and step of the autoencoder, the rules interleaved step by step. */
async function trainingSteps(device: Device, steps: number): Promise<readonly TrainingStepCost[]> {
  const model = await autoencoder()
  const images = trainingImages()
  const order = new BatchOrder(images.count, batch, 1)
  const rules: readonly [string, () => Rule][] = [
    ['adamw', () => adamw()],
    ['muon', () => muon({ outputs: 'last' })],
    [
      'shampoo, refresh 20',
      () => shampoo({ ...matrices, beta2: 0.95, graft: 'adam', refresh: { every: 20, start: 1 } }),
    ],
    [
      'shampoo, refresh 20, off the thread',
      () => shampoo({ ...matrices, beta2: 0.95, graft: 'adam', refresh: { every: 20, start: 1, staleness: 19 } }),
    ],
    [
      'shampoo, not refreshed',
      () => shampoo({ ...matrices, beta2: 0.95, graft: 'adam', refresh: { every: 10 ** 6, start: 1 } }),
    ],
    ['soap, refresh 20', () => soap({ refresh: { every: 20 } })],
    ['soap, refresh 10', () => soap()],
  ]
  const runs = rules.map(([name, rule]) => {
    const parameters = model.initial(1)
    const isMatrix = ({ shape }: { readonly shape: readonly number[] }) => shape.length === 2
    const optimizer = new Optimizer(device, [
      { params: parameters.filter(isMatrix), rule: rule(), lr: 1e-3 },
      { params: parameters.filter((parameter) => !isMatrix(parameter)), rule: adamw(), lr: 1e-3 },
    ])
    return { name, parameters, optimizer, gradient: 0, step: 0 }
  })
  for (let step = 0; step <= steps; step++) {
    const rows = gather(images, order.next())
    for (const run of step % 2 === 0 ? runs : [...runs].reverse()) {
      const start = performance.now()
      const { gradients } = model.gradient(run.parameters, rows)
      const middle = performance.now()
      run.optimizer.step(new Map(run.parameters.map(({ name }, index) => [name, gradients[index]!])))
      const end = performance.now()
      // The first step warms up, and makes the first roots and bases of all rules.
      if (step > 0) {
        run.gradient += (middle - start) / steps
        run.step += (end - middle) / steps
      }
      await nextTurn()
    }
  }
  for (const { optimizer } of runs) optimizer.dispose()
  const whole = runs[0]!.gradient + runs[0]!.step
  return runs.map(({ name, gradient, step }) => ({
    rule: name,
    batch,
    gradient,
    optimizer: step,
    overAdamw: (gradient + step) / whole,
  }))
}

/** Lines for people. */
export function format({ steps, training }: OptimizerStepResult): string {
  return [
    ['suite', 'rule', 'median', 'slowest', 'mean', 'statist.', 'refresh', 'apply', 'x adamw', 'MiB', 'calls', 'refresh']
      .map(cell)
      .join(' '),
    ...steps.map(lineOf),
    '',
    `autoencoder, batch ${batch}: milliseconds of a whole training step`,
    ...training.map(trainingLine),
  ].join('\n')
}

const widths = [12, 46, 9, 9, 9, 9, 9, 9, 8, 8, 6, 7]
const cell = (text: string, index: number) => (index < 2 ? text.padEnd(widths[index]!) : text.padStart(widths[index]!))
const ms = (value: number) => value.toFixed(value < 10 ? 2 : value < 1000 ? 1 : 0)

function lineOf(cost: StepCost): string {
  return [
    cost.suite,
    cost.rule,
    ...[cost.median, cost.slowest, cost.mean, cost.statistics, cost.refresh, cost.apply].map(ms),
    cost.overAdamw === null ? '' : cost.overAdamw.toFixed(2),
    (cost.bytes / 2 ** 20).toFixed(1),
    String(cost.callsPerStep),
    String(cost.callsPerRefresh),
  ]
    .map(cell)
    .join(' ')
}

function trainingLine({ rule, gradient, optimizer, overAdamw }: TrainingStepCost): string {
  return `  ${rule.padEnd(36)} gradient ${ms(gradient).padStart(7)}  optimizer ${ms(optimizer).padStart(7)}  ${overAdamw.toFixed(2)} x AdamW`
}
