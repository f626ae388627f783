// The training study: intervals, targets, the journal, and a small study from end to end.
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from '../../bench/arguments.js'
import { formatInterval, interval } from '../../bench/training/interval.js'
import { Journal } from '../../bench/training/journal.js'
import { formatSetting, formatSweeps } from '../../bench/training/report.js'
import { type RuleName, ruleNames, trainee } from '../../bench/training/rules.js'
import { type Plan, study } from '../../bench/training/study.js'
import { type Task, tasks } from '../../bench/training/tasks.js'
import { type Trial, tryTraining } from '../../bench/training/trial.js'
import { bestRate, judge, type RuleRuns } from '../../bench/training/verdict.js'
import { format } from '../../bench/training.js'
import { KronrootError, open } from '../../lib/index.js'
import { Optimizer, sgd } from '../../lib/optim/index.js'
import { glorot, type Parameter, zeroBias } from '../../lib/train/parameter.js'
import type { Problem } from '../../lib/train/problem.js'
import { Random } from '../../lib/train/random.js'

const split = { gradient: 4, statistics: 1, refresh: 2, apply: 3 }

/** Losses at steps 0, 10, 20, ... of a tenth of a second each. */
function trial(seed: number, losses: readonly number[], divergedAt: number | null = null): Trial {
  const evaluations = losses.map((loss, index) => ({ step: 10 * index, seconds: index, loss }))
  return { learningRate: 0.01, seed, evaluations, millisecondsPerStep: split, failures: 1, divergedAt, error: null }
}

function runsOf(rule: RuleName, ...runs: Trial[]): RuleRuns {
  const tuning = [0.005, 0.01, 0.02].map((learningRate) => ({
    learningRate,
    finalLoss: learningRate === 0.02 ? null : 1,
  }))
  return { rule, tuning, learningRate: 0.01, runs }
}

describe('the interval', () => {
  it('is that of Student: mean +- t s / sqrt(n)', () => {
    // s = 1, t(0.975, 2) = 4.302653: 4.302653 / sqrt(3) = 2.484138.
    const three = interval([1, 2, 3])!
    expect(three).toMatchObject({ mean: 2, count: 3 })
    expect(three.half).toBeCloseTo(2.484138, 3)
    // s = sqrt(2.5), t(0.975, 4) = 2.776445: 2.776445 sqrt(2.5 / 5) = 1.963243.
    expect(interval([1, 2, 3, 4, 5])!.half).toBeCloseTo(1.963243, 3)
    expect(interval([4, 4, 4, 4])).toEqual({ mean: 4, half: 0, count: 4 })
    // Two values: t(0.975, 1) = tan(0.475 pi), s / sqrt(2) = half their distance.
    expect(interval([0, 2])!.half).toBeCloseTo(Math.tan(0.475 * Math.PI), 2)
  })

  it('has no half for one value, is nothing without values or with a missing one, refuses too many', () => {
    expect(interval([5])).toEqual({ mean: 5, half: null, count: 1 })
    expect(interval([])).toBeNull()
    expect(interval([1, null, 3])).toBeNull()
    expect(interval(Array(10).fill(1))!.half).toBe(0)
    expect(() => interval(Array(11).fill(1))).toThrow(RangeError)
    expect(formatInterval({ mean: 5, half: null, count: 1 }, 1)).toBe('5.0')
    expect(formatInterval({ mean: 5.04, half: 0.26, count: 3 }, 1)).toBe('5.0 +- 0.3')
  })
})

describe('the verdict', () => {
  const adamw = runsOf('adamw', trial(1, [100, 60, 50]), trial(2, [100, 55, 40]), trial(3, [100, 70, 45]))

  it('measures every seed by AdamW on the same seed', () => {
    const muon = runsOf('muon', trial(1, [100, 50, 20]), trial(2, [100, 41, 39]), trial(3, [100, 30, 20]))
    const { target, rules } = judge([adamw, muon])
    expect(target!.mean).toBe(45)
    expect(rules[0]).toMatchObject({ rule: 'adamw', missed: 0, stepsToTarget: { mean: 20, half: 0 } })
    expect(rules[1]!.stepsToTarget!.mean).toBeCloseTo(40 / 3)
    expect(rules[1]!.secondsToTarget!.mean).toBeCloseTo(4 / 3)
    expect(rules[1]).toMatchObject({ missed: 0, diverged: 0, failures: 3, atEdge: false, millisecondsPerStep: split })
  })

  it('has no mean where a seed missed the target, and says how many did', () => {
    const muon = runsOf('muon', trial(1, [100, 50, 20]), trial(2, [100, 90, 41]), trial(3, [100, 90, 46]))
    const [, verdict] = judge([adamw, muon]).rules
    expect(verdict).toMatchObject({ stepsToTarget: null, secondsToTarget: null, missed: 2 })
    expect(verdict!.finalLoss!.mean).toBeCloseTo(107 / 3)
  })

  it('has no final loss where a seed diverged', () => {
    const muon = runsOf('muon', trial(1, [100, 50, 20]), trial(2, [100], 12), trial(3, [100, 90, 30]))
    const [, verdict] = judge([adamw, muon]).rules
    expect(verdict).toMatchObject({ finalLoss: null, stepsToTarget: null, missed: 1, diverged: 1 })
  })

  it('has no target where AdamW diverged', () => {
    const lost = runsOf('adamw', trial(1, [100], 3))
    const muon = runsOf('muon', trial(1, [100, 50]))
    const { target, rules } = judge([lost, muon])
    expect(target).toBeNull()
    expect(rules[1]).toMatchObject({ stepsToTarget: null, missed: 0, finalLoss: { mean: 50, half: null } })
  })

  it('takes the rate with the lowest final loss and marks the edges of the grid', () => {
    const tuning = [
      { learningRate: 1, finalLoss: 3 },
      { learningRate: 2, finalLoss: 2 },
      { learningRate: 4, finalLoss: null },
    ]
    expect(bestRate(tuning)).toBe(2)
    expect(bestRate([{ learningRate: 1, finalLoss: null }])).toBeNull()
    const edge = (learningRate: number) => judge([{ rule: 'muon', tuning, learningRate, runs: [] }]).rules[0]!.atEdge
    expect([edge(1), edge(2), edge(4)]).toEqual([true, false, true])
  })

  it('is told as it is: misses, divergence, edges', () => {
    const setting = { task: 'toy', description: 'a toy', batch: 8, steps: 20, evaluateEvery: 10 }
    const muon = runsOf('muon', trial(1, [100, 50, 20]), trial(2, [100, 90, 41]), trial(3, [100, 90, 46]))
    const soap = runsOf('soap', trial(1, [100, 50, 20]), trial(2, [100], 12), trial(3, [100, 90, 30]))
    const never: RuleRuns = {
      rule: 'splus',
      tuning: [{ learningRate: 1, finalLoss: null }],
      learningRate: null,
      runs: [],
    }
    const text = formatSetting({ ...setting, ...judge([adamw, muon, soap, never]) })
    expect(text).toContain("AdamW's final loss of the same seed, 45.000 +- ")
    expect(text).toMatch(/AdamW +0\.01 +45\.000 \+- 12\.42\d +20 \+- 0 \(100 %\)/)
    expect(text).toMatch(/Muon .* missed by 2 of 3 +missed by 2 of 3 +10\.00/)
    expect(text).toMatch(/SOAP .* diverged +missed by 1 of 3/)
    expect(text).toContain('SOAP diverged with 1 of 3 seeds.')
    expect(text).toMatch(/SPlus +- +diverged +- +- +-/)
    expect(text).toContain('SPlus diverged at every learning rate of its grid.')
    expect(text).toContain('Muon diverged in tuning at 0.02.')
    expect(text).toContain('Muon: 3 matrices were not solved and kept their stale answer.')
  })
})

describe('the sweep over batch sizes', () => {
  it("tells steps and seconds over AdamW's, and of misses nothing", () => {
    const adamw = runsOf('adamw', trial(1, [100, 60, 50, 40, 30]))
    const setting = { task: 'toy', description: 'a toy', steps: 40, evaluateEvery: 10 }
    const sweep = [
      { ...setting, batch: 8, ...judge([adamw, runsOf('muon', trial(1, [100, 30]))]) },
      { ...setting, batch: 32, ...judge([adamw, runsOf('muon', trial(1, [100, 31]))]) },
      { ...setting, task: 'other', batch: 32, ...judge([adamw]) },
    ]
    const [text, ...more] = formatSweeps(sweep)
    expect(more).toEqual([])
    expect(text).toMatch(
      /^toy: .*\nrule +batch 8 +batch 32\n.*\nAdamW +1\.00, 1\.00 +1\.00, 1\.00\nMuon +0\.25, 0\.25 +-$/,
    )
  })
})

/** Linear regression on 64 fixed examples of 3 inputs and 2 outputs. */
function regression(): Problem {
  const random = new Random(3)
  const normal = () => random.uniform() + random.uniform() + random.uniform() - 1.5
  const inputs = Array.from({ length: 64 }, () => [normal(), 2 * normal(), 4 * normal()])
  const outputs = inputs.map(([a, b, c]) => [a! - b! + 0.5, c! + 2 * b! + 0.1 * normal()])
  const lossOf = (parameters: readonly Parameter[], indices: Iterable<number>) => {
    const [weight, bias] = parameters.map(({ value }) => value)
    const gradients = [new Float32Array(6), new Float32Array(2)]
    let loss = 0
    let count = 0
    for (const index of indices) {
      const x = inputs[index]!
      for (let j = 0; j < 2; j++) {
        const error =
          bias![j]! + x.reduce((sum, value, i) => sum + value * weight![2 * i + j]!, 0) - outputs[index]![j]!
        loss += error ** 2 / 2
        for (let i = 0; i < 3; i++) gradients[0]![2 * i + j]! += error * x[i]!
        gradients[1]![j]! += error
      }
      count++
    }
    const mean = gradients.map((gradient) => gradient.map((sum) => sum / count))
    return { loss: loss / count, gradients: mean }
  }
  const all = inputs.keys()
  const everything = [...all]
  return {
    examples: 64,
    initial: (seed) => [glorot(new Random(seed), 'weight', [3, 2], 3, 2), zeroBias('bias', 2)],
    batch: (indices) => (parameters) => lossOf(parameters, indices),
    evaluate: (parameters) => lossOf(parameters, everything).loss,
  }
}

const toy: Task = {
  name: 'regression',
  description: 'linear regression',
  settings: [
    { batch: 8, steps: 40 },
    { batch: 32, steps: 30 },
  ],
  quick: { batch: 8, steps: 5 },
  middleRate: 0.1,
  middleRates: { splus: 3.2 },
  problem: async () => regression(),
}

const plan: Plan = {
  tasks: [toy],
  settings: ({ settings }) => settings,
  rules: ruleNames,
  grid: [0.5, 1],
  tuningSeed: 0,
  seeds: [1, 2, 3],
}

describe('a small study', () => {
  const device = open('cpu')
  const folder = mkdtempSync(join(tmpdir(), 'kronroot-training-'))
  const file = join(folder, 'journal.jsonl')
  const collect = async (journal: Journal, log = (_: string) => {}) => {
    const results = []
    for await (const setting of study(plan, { device, journal, log })) results.push(setting)
    return results
  }

  it('tunes and measures every rule at every batch size, and goes on from its journal', async () => {
    const lines: string[] = []
    const results = await collect(new Journal(file), (line) => lines.push(line))
    expect(lines.length).toBe(2 * ruleNames.length * (2 + 3))
    expect(results.map(({ batch, steps, evaluateEvery }) => [batch, steps, evaluateEvery])).toEqual([
      [8, 40, 1],
      [32, 30, 1],
    ])
    for (const { rules, target } of results) {
      expect(target!.mean).toBeLessThan(5)
      expect(rules.map(({ rule }) => rule)).toEqual(ruleNames)
      for (const { rule, tuning, learningRate, runs, finalLoss, options } of rules) {
        const middle = rule === 'splus' ? 3.2 : 0.1
        expect(tuning.map((tried) => tried.learningRate)).toEqual([middle / 2, middle])
        expect(learningRate).toBe(bestRate(tuning))
        expect(runs.map(({ seed }) => seed)).toEqual([1, 2, 3])
        expect(finalLoss!.mean, rule).toBeLessThan(runs[0]!.evaluations[0]!.loss)
        expect(options.length).toBeGreaterThan(0)
      }
    }
    const text = format({ comparable: false, grid: plan.grid, tuningSeed: 0, seeds: plan.seeds, settings: results })
    expect(text).toMatch(/^QUICK RUN/)
    expect(text.match(/^(AdamW|Muon|Shampoo|SOAP|KL-Shampoo|SPlus|PSGD Kron) +[0-9.]+\*? /gm)!.length).toBe(14)

    // As if killed while it wrote a line: what is whole is not run again, and the results are the same to the last bit.
    const written = readFileSync(file, 'utf8')
    appendFileSync(file, '\n{"key":{"task":')
    expect(await collect(new Journal(file))).toEqual(results)
    expect(readFileSync(file, 'utf8')).toBe(`${written}\n{"key":{"task":`)
    rmSync(folder, { recursive: true })
  })

  it('takes a solver that gives up for a divergence, and nothing else', async () => {
    const bench = { device, problem: regression(), steps: 10, batch: 8, evaluateEvery: 1 }
    const failing = (error: Error) => ({
      name: 'failing',
      create: (_: unknown, params: readonly Parameter[]) => {
        const optimizer = new Optimizer(device, [{ params, rule: sgd(), lr: 0.01 }])
        const step = optimizer.step.bind(optimizer)
        optimizer.step = (gradients) => {
          if (optimizer.steps === 4) throw error
          step(gradients)
        }
        return optimizer
      },
    })
    const lost = await tryTraining(bench, failing(new KronrootError('ERR_NOT_CONVERGED', 'factor 3')), 0.01, 1)
    expect(lost).toMatchObject({ divergedAt: 5, error: 'factor 3' })
    expect(lost.evaluations.length).toBe(4)
    await expect(tryTraining(bench, failing(new Error('other')), 0.01, 1)).rejects.toThrow('other')
  })
})

describe('the tasks and rules', () => {
  it('give kernels of convolutions as matrices and embeddings to the rules that are meant for them', () => {
    const parameters = [
      glorot(new Random(1), 'conv.kernel', [2, 2, 3, 5], 12, 20),
      glorot(new Random(1), 'embedding', [7, 4], 1, 1),
      zeroBias('bias', 5),
    ]
    const device = open('cpu')
    for (const name of ruleNames) {
      const optimizer = trainee(name).create(device, parameters, 0.1)
      const shapes = new Map(optimizer.parameters.map((parameter) => [parameter.name, parameter.shape]))
      expect(shapes.get('conv.kernel')).toEqual([12, 5])
      expect(optimizer.parameters.map(({ value }) => value).sort()).toEqual(parameters.map(({ value }) => value).sort())
      const ofEmbedding = Object.keys(optimizer.stateDict().state).filter((key) => key.includes('embedding'))
      const byAdamw = ofEmbedding.filter((key) => key.includes('adamw:'))
      expect(byAdamw.length > 0, name).toBe(['adamw', 'muon', 'klShampoo'].includes(name))
      if (name === 'muon' || name === 'klShampoo') expect(byAdamw).toEqual(ofEmbedding)
      optimizer.dispose()
    }
  })

  it('are the three of the study, swept over batch sizes', () => {
    expect(tasks.map(({ name }) => name)).toEqual(['autoencoder', 'convolutional', 'characters'])
    for (const { settings } of tasks) expect(new Set(settings.map(({ batch }) => batch)).size).toBeGreaterThan(1)
  })

  it('one real task trains for a few steps with every rule', async () => {
    const device = open('cpu')
    const task = tasks.find(({ name }) => name === 'convolutional')!
    const problem = await task.problem()
    for (const name of ruleNames) {
      const rate = name === 'splus' ? 0.5 : 0.016
      const run = await tryTraining(
        { device, problem, batch: 32, steps: 12, evaluateEvery: 12 },
        trainee(name),
        rate,
        1,
      )
      expect(run.divergedAt, name).toBeNull()
      expect(run.evaluations.at(-1)!.loss, name).toBeLessThan(run.evaluations[0]!.loss)
    }
  })
})

describe('the command line', () => {
  it('knows the study and its journal', () => {
    expect(parse(['training', '--quick'])).toMatchObject({ study: 'training', chosen: [], quick: true, json: false })
    expect(parse(['training', '--journal=runs.jsonl'])).toMatchObject({ journal: 'runs.jsonl' })
    expect(parse(['gemm'])).toMatchObject({ study: undefined, journal: undefined, chosen: ['gemm'] })
    expect(parse(['training', '--journal='])).toContain('unknown option --journal=')
    expect(parse(['all'])).toMatchObject({ study: undefined })
  })
})
