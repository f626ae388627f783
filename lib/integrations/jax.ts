import type { Array as JaxArray, JsTree, JsTreeDef } from '@jax-js/jax'
import type { Device } from '../device.js'
import { checkFields, KronrootError } from '../errors.js'
import type { PhaseTimes } from '../optim/clock.js'
import { updateAll } from '../optim/elementwise.js'
import type { GroupOptions } from '../optim/group.js'
import {
  type OptimizerOptions,
  type OptimizerPlan,
  type OptimizerReport,
  type OptimizerState,
  ParameterGroups,
} from '../optim/parameter-groups.js'
import type { ParameterSpec } from '../optim/rule.js'

/** The part of `import * as jax from '@jax-js/jax'` that is needed. It is handed in, so there is only one jax-js. */
export type Jax = Pick<typeof import('@jax-js/jax'), 'numpy' | 'tree'>

/** Rule, learning rate and weight decay, and which leaves of the parameter tree they are for. */
export interface JaxGroup extends GroupOptions {
  /**
   * Leaves of the group, by path (`encoder/0/w`; keys and indices joined by slashes) and shape. A leaf goes to the first
   * group that matches. Default: all leaves.
   */
  readonly match?: (path: string, shape: readonly number[]) => boolean
}

/** An optax-shaped transformation. As everywhere in jax-js, every argument is consumed; `.ref` what is still needed. */
export interface GradientTransformation {
  /** State for parameters of these shapes. Consumes `params`. */
  init(params: JsTree<JaxArray>): TransformationState
  /**
   * Updates to be added to the parameters: -lr (D + wd W). Consumes `updates` (the gradients), `state` and `params`, which
   * are needed only with weight decay. A gradient that is not finite gives an update of zero and is counted in the report.
   * Eager: inside `jit` there are no values to look at, so jit the loss and its gradient instead.
   */
  update<Tree extends JsTree<JaxArray>>(
    updates: Tree,
    state: TransformationState,
    params?: JsTree<JaxArray>,
  ): [Tree, TransformationState]
  /**
   * The values to evaluate: averages or extrapolations where a rule keeps them (Schedule-Free, SPlus, DoG), else those of the
   * parameters. Consumes `params`, not the state.
   */
  evaluation<Tree extends JsTree<JaxArray>>(params: Tree, state: TransformationState): Tree
}

/**
 * State of a transformation: a handle on native memory, a leaf to `jax.tree`. `update` consumes it and returns its
 * successor; using a consumed one raises ERR_DISPOSED. `dispose` the last one.
 */
export class TransformationState {
  #groups: ParameterGroups | undefined

  /** @internal */
  constructor(groups: ParameterGroups) {
    this.#groups = groups
  }

  /** Steps made so far. */
  get steps(): number {
    return this.groups().steps
  }

  /** As `Optimizer.stateDict`; keys name the paths of the leaves. */
  stateDict(): OptimizerState {
    return this.groups().stateDict()
  }

  /** As `Optimizer.loadStateDict`. */
  loadStateDict(saved: OptimizerState): void {
    this.groups().loadStateDict(saved)
  }

  describe(): OptimizerPlan {
    return this.groups().describe()
  }

  report(): OptimizerReport {
    return this.groups().report()
  }

  timings(): PhaseTimes {
    return this.groups().timings()
  }

  /** Frees the native memory. */
  dispose(): void {
    this.#groups?.dispose()
    this.#groups = undefined
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  /** @internal What the handle stands for. */
  groups(): ParameterGroups {
    if (this.#groups === undefined) {
      throw new KronrootError(
        'ERR_DISPOSED',
        'this optimizer state was consumed by update or disposed; use its successor',
      )
    }
    return this.#groups
  }

  /** @internal A new handle; this one is spent. */
  succeed(): TransformationState {
    const next = new TransformationState(this.groups())
    this.#groups = undefined
    return next
  }
}

/**
 * Rules of kronroot as an optax-shaped transformation over jax-js pytrees of float32 arrays.
 *
 *     import * as jax from '@jax-js/jax'
 *     const optimizer = gradientTransformation(jax, device, [
 *       { match: (path, shape) => shape.length === 2, rule: muon({ outputs: 'last' }), lr: 0.02 },
 *       { rule: adamw(), lr: 1e-3 },
 *     ])
 *     let state = optimizer.init(jax.tree.ref(params))
 *     const [updates, next] = optimizer.update(gradients, state, jax.tree.ref(params))
 *     params = applyUpdates(jax, params, updates)
 *     state = next
 *
 * @throws ERR_OPTION for options; `init` ERR_DTYPE for leaves that are not float32 and ERR_OPTION for leaves without a group.
 */
export function gradientTransformation(
  jax: Jax,
  device: Device,
  groups: JaxGroup | readonly JaxGroup[],
  options: OptimizerOptions = {},
): GradientTransformation {
  const list: readonly JaxGroup[] = Array.isArray(groups) ? groups : [groups as JaxGroup]
  list.forEach((group, index) => {
    checkFields(`group ${index}`, group, ['match', 'rule', 'lr', 'weightDecay', 'weightDecayMode', 'peakLr', 'clip'])
  })
  return {
    init: (params) => {
      const [{ specs }] = readTrees(jax, [params])
      return new TransformationState(new ParameterGroups(device, partition(specs, list), options))
    },
    update: (updates, state, params) => {
      const [gradients, values] = readTrees(jax, params === undefined ? [updates] : [updates, params])
      const results = advance(state.groups(), gradients.values, values?.values)
      const arrays = gradients.specs.map(({ name, shape }) =>
        jax.numpy.array(results.get(name)!, { shape: [...shape] }),
      )
      return [jax.tree.unflatten(gradients.structure, arrays) as typeof updates, state.succeed()]
    },
    evaluation: (params, state) => {
      const [values] = readTrees(jax, [params])
      const groups = state.groups()
      const evaluated = groups.evaluation(inOrder(groups, values.values, 'the value'))
      const byName = new Map(groups.parameters.map(({ name }, index) => [name, evaluated[index]!]))
      const arrays = values.specs.map(({ name, shape }) =>
        jax.numpy.array(byName.get(name)! as Float32Array<ArrayBuffer>, { shape: [...shape] }),
      )
      return jax.tree.unflatten(values.structure, arrays) as typeof params
    },
  }
}

/** Parameters plus updates, leaf by leaf. Consumes both. */
export function applyUpdates<Tree extends JsTree<JaxArray>>(jax: Jax, params: Tree, updates: Tree): Tree {
  const add = (parameter: JaxArray, update: JaxArray) => parameter.add(update)
  return jax.tree.map(add, params as JsTree<JaxArray>, updates as JsTree<JaxArray>) as Tree
}

/** A tree whose leaves have been read and consumed. */
interface ReadTree {
  /** Paths and shapes of the leaves, in the order of jax.tree. */
  readonly specs: readonly ParameterSpec[]
  readonly values: ReadonlyMap<string, Float32Array>
  readonly structure: JsTreeDef
}

/** Reads trees of float32 arrays. Consumes all leaves of all trees, also when it throws ERR_DTYPE. */
function readTrees(jax: Jax, trees: readonly JsTree<JaxArray>[]): readonly [ReadTree, ...ReadTree[]] {
  const flat = trees.map((tree) => {
    const [leaves, structure] = jax.tree.flatten<JaxArray>(tree)
    return { leaves, structure, names: paths(tree, '') }
  })
  const wrong = flat.flatMap(({ leaves, names }) =>
    leaves.flatMap((leaf, index) => (leaf.dtype === 'float32' ? [] : [`${names[index]} is ${leaf.dtype}`])),
  )
  if (wrong.length > 0) {
    for (const { leaves } of flat) for (const leaf of leaves) leaf.dispose()
    throw new KronrootError('ERR_DTYPE', `leaves must be float32 arrays, but ${wrong.join(', ')}`)
  }
  const [first, ...others] = flat.map(({ leaves, structure, names }) => ({
    specs: leaves.map((leaf, index) => ({ name: names[index]!, shape: leaf.shape })),
    values: new Map(leaves.map((leaf, index) => [names[index]!, leaf.dataSync() as Float32Array])),
    structure,
  }))
  return [first!, ...others]
}

/** Paths of the leaves; mirrors the order of jax.tree.flatten: arrays by index, plain objects by key as inserted. */
function paths(tree: JsTree<JaxArray>, path: string): readonly string[] {
  const isContainer = Array.isArray(tree) || tree.constructor === Object
  if (!isContainer) return [path === '' ? 'value' : path]
  return Object.entries(tree as Record<string, JsTree<JaxArray>>).flatMap(([key, subtree]) =>
    paths(subtree, path === '' ? key : `${path}/${key}`),
  )
}

function partition(
  specs: readonly ParameterSpec[],
  groups: readonly JaxGroup[],
): readonly { parameters: readonly ParameterSpec[]; options: GroupOptions }[] {
  const twice = specs.filter(({ name }, index) => specs.findIndex((other) => other.name === name) !== index)
  if (twice.length > 0) {
    throw new KronrootError('ERR_OPTION', `two leaves have the path ${twice[0]!.name}; keys must not contain slashes`)
  }
  const home = specs.map(({ name, shape }) =>
    groups.findIndex(({ match }) => match === undefined || match(name, shape)),
  )
  const homeless = specs.filter((_, index) => home[index] === -1).map(({ name }) => name)
  if (homeless.length > 0) {
    throw new KronrootError('ERR_OPTION', `no group matches ${homeless.join(', ')}; the last group may leave out match`)
  }
  return groups.map(({ match: _, ...options }, group) => ({
    parameters: specs.filter((_, index) => home[index] === group),
    options,
  }))
}

/** One step; the updates by name. */
function advance(
  groups: ParameterGroups,
  gradients: ReadonlyMap<string, Float32Array>,
  values: ReadonlyMap<string, Float32Array> | undefined,
): ReadonlyMap<string, Float32Array> {
  if (groups.needsValues && values === undefined) {
    throw new KronrootError('ERR_OPTION', 'update: weight decay and some rules need the parameters as third argument')
  }
  const { parameters } = groups
  const weights = values === undefined ? undefined : inOrder(groups, values, 'the value')
  const steps = groups.advance(inOrder(groups, gradients, 'the gradient'), weights)
  const updates = new Map(parameters.map(({ name }) => [name, new Float32Array(gradients.get(name)!.length)]))
  // -lr D - shrinkage W; zero without a direction.
  const moves = steps.flatMap(({ directions, scales, lr, shrinkage }) =>
    directions.map(
      (gradient, index) => gradient && { gradient, fromGradient: -lr * scales[index]!, fromM: -shrinkage },
    ),
  )
  updateAll(
    groups.device,
    'combine',
    moves.map((move, index) => {
      const direction = updates.get(parameters[index]!.name)
      return move && { ...move, m: weights?.[index], direction }
    }),
  )
  return updates
}

/** Arrays in the order of the parameters of the groups. */
function inOrder(
  { parameters }: ParameterGroups,
  named: ReadonlyMap<string, Float32Array>,
  what: string,
): readonly Float32Array[] {
  return parameters.map(({ name, shape }) => {
    const array = named.get(name)
    const size = shape.reduce((product, dimension) => product * dimension, 1)
    if (array?.length === size) return array
    const got = array === undefined ? 'nothing' : `${array.length} elements`
    throw new KronrootError('ERR_SHAPE', `update: ${what} of ${name} must have shape [${shape.join(', ')}], got ${got}`)
  })
}
