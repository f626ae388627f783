// The machinery of rules that precondition with Kronecker factors on the way from gradient to graft and momentum: with their
// inverse roots (Shampoo, KL-Shampoo, ASGO), or in their eigenbases with corrected eigenvalues.
import type { Device } from '../../device.js'
import { applyRoots, applyToMatrices, applyToTensors } from '../../precondition/apply.js'
import { copyAll, disposeArrays, type ParameterArray, withViews, zeros } from '../../precondition/arrays.js'
import { basisSolver, transport } from '../../precondition/bases.js'
import { blockRuns, stackBlocks, unstackBlocks } from '../../precondition/blocks.js'
import { exponentsOf } from '../../precondition/exponents.js'
import { type BucketFactors, createFactors, disposeFactors, isStarted } from '../../precondition/factors.js'
import { graftNorms } from '../../precondition/graft-norms.js'
import { type Block, elements, planBlocks } from '../../precondition/plan.js'
import { Refresher } from '../../precondition/refresher.js'
import { rootSolver } from '../../precondition/roots.js'
import { accumulateStatistics, type StatisticSource } from '../../precondition/statistics.js'
import { finiteOnly } from '../elementwise.js'
import type { Graft } from '../graft.js'
import type { Gradients, ParameterSpec, Rule, RuleContext } from '../rule.js'
import { applyCorrected, correct, createCorrection, disposeCorrection } from './correction.js'
import { reportFactors } from './factor-slots.js'
import { describeRoots, type RootSettings, type RootState, rootSlots } from './root-state.js'
import { statisticGradients } from './statistic-gradients.js'

/**
 * A rule over checked settings. Order of operations of a step: statistics; roots, if due; average of the gradient;
 * preconditioning (blocks that have no root yet: the graft's direction, or the average); graft; momentum.
 */
export function rootRule(settings: RootSettings): Rule<RootState> {
  return {
    name: settings.name,
    init: (parameters, device) => createState(settings, parameters, device),
    update: (gradients, state, context) => update(settings, state, gradients, context),
    describe: (state) => describeRoots(state, settings),
    slots: (state) => rootSlots(state, settings),
    report: (state) => [
      ...reportFactors(state),
      ...(settings.graft?.rule?.report(state.graft) ?? []).map((entry) => ({
        ...entry,
        factor: `graft ${entry.factor}`,
      })),
    ],
    settled: async (state) => {
      await Promise.all([state.refresher.settled(), settings.graft?.rule?.settled?.(state.graft)])
    },
    dispose: (state) => {
      state.refresher.dispose()
      for (const group of state.groups) disposeFactors(group)
      for (const correction of state.corrections) disposeCorrection(correction)
      disposeArrays(state.directions)
      settings.filter.dispose(state.filter)
      if (state.heavyBall !== undefined) settings.heavyBall?.dispose(state.heavyBall)
      settings.graft?.rule?.dispose(state.graft)
    },
  }
}

function createState(settings: RootSettings, parameters: readonly ParameterSpec[], device: Device): RootState {
  const { name, timing, scaling, toleratedFailures, correction } = settings
  const plan = planBlocks(parameters, settings)
  const groups = plan.buckets.map((bucket) =>
    createFactors(device, bucket, parameters, {
      // There is no diagonal of a basis.
      kinds: settings.sides(bucket.shape).map((kind) => (kind === 'full' || correction === undefined ? kind : 'none')),
      exponents: exponentsOf(bucket.shape.length, settings.exponents, settings.sharers(bucket.shape)),
      toleratedFailures,
      storage: settings.storage,
      start: correction === undefined ? 'identity' : 'zero',
    }),
  )
  const corrections = correction === undefined ? [] : groups.map((group) => createCorrection(device, group))
  const carried = transport((group) => ({ numbers: [], squares: [corrections[groups.indexOf(group)]!.second] }))
  const solves =
    correction === undefined
      ? { solver: rootSolver(settings.root, settings.ridge, timing.tolerance) }
      : { solver: basisSolver(correction.update, timing.tolerance), transport: carried }
  return {
    device,
    plan,
    groups,
    corrections,
    refresher: new Refresher(device, groups, { owner: name, timing, scaling, ...solves }),
    directions: parameters.map(({ shape }) => zeros(device, elements(shape))),
    filter: settings.filter.init(parameters, device),
    graft: settings.graft?.rule?.init(parameters, device),
    heavyBall: settings.heavyBall?.init(parameters, device),
  }
}

function update(settings: RootSettings, state: RootState, gradients: Gradients, context: RuleContext): Gradients {
  const { step, clock } = context
  const { timing, graft } = settings
  const usable = clock.time('apply', () => finiteOnly(state.device, gradients))
  clock.time('statistics', () => accumulate(settings, state, usable, context))
  if (state.refresher.mark(step)) {
    clock.time('refresh', () => state.refresher.advance(step, (parameter) => usable[parameter] !== null))
  }
  clock.time('statistics', () => correctAll(settings, state, usable, step))
  if (step <= timing.burnIn) return gradients.map(() => null)
  const filtered = clock.time('apply', () => settings.filter.update(usable, state.filter, step))
  const grafts = graft === undefined ? undefined : graftDirections(graft, state, usable, filtered, context)
  return clock.time('apply', () => {
    const started = startedBlocks(settings, state)
    const isStartedBlock = (block: Block) => started.has(block)
    const directions = preconditionAll(settings, state, filtered, grafts ?? filtered, isStartedBlock, step)
    if (grafts !== undefined && directions !== grafts) {
      graftNorms(state.device, state.plan, directions, grafts, settings.graftScope, isStartedBlock)
    }
    if (settings.heavyBall === undefined || state.heavyBall === undefined) return directions
    return settings.heavyBall.update(directions, state.heavyBall, step)
  })
}

function accumulate(
  settings: RootSettings,
  state: RootState,
  usable: Gradients,
  { step, examples }: RuleContext,
): void {
  const isTaken = settings.timing.takesStatistics(step)
  if (!isTaken && settings.correction === undefined) return
  const beta = settings.beta2(step)
  const lists = statisticGradients(state.device, usable, examples)
  for (const group of state.groups) {
    if (group.bucket.blocks.every(({ parameter }) => usable[parameter] === null)) continue
    if (isTaken) {
      lists.forEach((gradients, index) => {
        stackBlocks(group, gradients)
        const source = settings.isWhitened ? whitened(group) : undefined
        accumulateStatistics(group, gradients, beta, source, { index, count: lists.length })
      })
    }
    if (!isTaken || examples !== undefined) stackBlocks(group, usable)
  }
}

/** Second moments in the bases, of the gradients that are stacked. */
function correctAll({ correction }: RootSettings, state: RootState, usable: Gradients, step: number): void {
  if (correction === undefined || step % correction.every(step) !== 0) return
  state.groups.forEach((group, index) => {
    correct(group, state.corrections[index]!, usable, correction, step)
  })
}

/** The gradient with the roots of all other dimensions applied, its Gram matrix divided by their sizes. */
function whitened(group: BucketFactors): StatisticSource {
  const { size, shape } = group.bucket
  return (dimension) => ({
    x:
      group.input === undefined
        ? applyToTensors(group, group.stack!, new Float32Array(group.stack!.length), dimension)
        : applyToMatrices(group, dimension),
    weight: shape[dimension]! / size,
  })
}

function graftDirections(
  graft: Graft,
  state: RootState,
  usable: Gradients,
  filtered: Gradients,
  context: RuleContext,
): Gradients {
  return graft.rule === undefined ? filtered : graft.rule.update(usable, state.graft, context)
}

/** Blocks all of whose factors have roots; where norms are grafted per layer, blocks of parameters that are there whole. */
function startedBlocks({ graftScope }: RootSettings, { groups }: RootState): ReadonlySet<Block> {
  const started = new Set<Block>()
  const late = new Set<number>()
  for (const group of groups) {
    group.bucket.blocks.forEach((block, index) => {
      if (isStarted(group, index)) started.add(block)
      else late.add(block.parameter)
    })
  }
  if (graftScope === 'layer') for (const block of started) if (late.has(block.parameter)) started.delete(block)
  return started
}

/** Preconditions every block that has roots and a gradient, bucket by bucket; the others take what `unstarted` has. */
function preconditionAll(
  { correction }: RootSettings,
  state: RootState,
  filtered: Gradients,
  unstarted: Gradients,
  isStartedBlock: (block: Block) => boolean,
  step: number,
): Gradients {
  const all = state.plan.buckets.flatMap(({ blocks }) => blocks).filter(({ parameter }) => filtered[parameter])
  if (!all.some(isStartedBlock)) return unstarted
  const directions = filtered.map((source, index) => (source === null ? null : state.directions[index]!))
  state.groups.forEach((group, index) => {
    const { blocks } = group.bucket
    if (!blocks.some((block) => filtered[block.parameter] && isStartedBlock(block))) return
    stackBlocks(group, filtered)
    const applied =
      correction === undefined ? applyRoots(group) : applyCorrected(group, state.corrections[index]!, correction, step)
    unstackBlocks(group, applied, directions)
  })
  const late = all.filter((block) => !isStartedBlock(block))
  withViews((views) => {
    const runs = (block: Block, arrays: Gradients) => blockRuns(block, arrays[block.parameter] as ParameterArray, views)
    const copies = late.flatMap((block) => {
      const to = runs(block, directions)
      return runs(block, unstarted).map((from, index) => ({ from, to: to[index]! }))
    })
    copyAll(state.device, copies)
  })
  return directions
}
