import { checkFields } from '../../errors.js'
import { numberIn, oneOf, optionError } from '../../schedule/validate.js'
import { PARAMETER_ROLES, type ParameterRole } from '../roles.js'

/** A parameter with its role, which decides its norm. */
export interface ParameterModule {
  /** Name of the parameter. */
  readonly parameter: string
  readonly role: ParameterRole
  /** Its share in the change of the network's output, > 0. Default 1. */
  readonly mass?: number
  /** By how much, at most, a change of its input changes its output, > 0. Default 1: weights of norm 1. */
  readonly sensitivity?: number
}

/** A module without parameters, such as an activation or a factor on a residual branch. */
export interface Bond {
  readonly sensitivity: number
}

/** Modules one after the other, the first one nearest to the input. `mass` replaces the sum of theirs. */
export interface Series {
  readonly series: readonly ModuleTree[]
  readonly mass?: number
}

/** Modules side by side, whose outputs are added or concatenated. `mass` replaces the sum of theirs. */
export interface Parallel {
  readonly parallel: readonly ModuleTree[]
  readonly mass?: number
}

/** A network, for the modular norm: plain data. A residual block is `{ parallel: [{ sensitivity: 1 }, branch] }`. */
export type ModuleTree = ParameterModule | Bond | Series | Parallel

/** A parameter of a tree, and its factor s in the norm max s_l |W_l|_l of all. */
export interface ModularParameter {
  readonly role: ParameterRole
  readonly scale: number
}

interface Composed {
  readonly mass: number
  readonly sensitivity: number
  readonly parameters: ReadonlyMap<string, ModularParameter>
}

/**
 * The factors s_l of all parameters of a tree. With m the masses and sigma the sensitivities,
 *
 *     series    |W| = max_i  (m / m_i) (product_{j after i} sigma_j) |W_i|     m = sum m_i,  sigma = product sigma_i
 *     parallel  |W| = max_i  (m / m_i) |W_i|                                   m = sum m_i,  sigma = sum sigma_i
 *
 * Source: Large et al., Scalable optimization in the modular norm, arXiv 2405.14813, definitions 3 and 4.
 */
export function modularScales(owner: string, tree: ModuleTree): ReadonlyMap<string, ModularParameter> {
  const { parameters } = compose(owner, 'modules', tree)
  if (parameters.size === 0) throw optionError(owner, 'modules', tree, 'a tree with at least one parameter')
  return parameters
}

function compose(owner: string, where: string, tree: ModuleTree): Composed {
  const field = (name: string) => `${where}.${name}`
  const positive = (name: string, value: unknown) => numberIn(owner, field(name), value, { above: 0 })
  if (typeof tree !== 'object' || tree === null) throw optionError(owner, where, tree, 'a module')
  if ('parameter' in tree) {
    checkFields(`${owner}: ${where}`, tree, ['parameter', 'role', 'mass', 'sensitivity'])
    if (typeof tree.parameter !== 'string') throw optionError(owner, field('parameter'), tree.parameter, 'a name')
    const role = oneOf(owner, field('role'), tree.role, PARAMETER_ROLES)
    return {
      mass: positive('mass', tree.mass ?? 1),
      sensitivity: positive('sensitivity', tree.sensitivity ?? 1),
      parameters: new Map([[tree.parameter, { role, scale: 1 }]]),
    }
  }
  if ('sensitivity' in tree) {
    checkFields(`${owner}: ${where}`, tree, ['sensitivity'])
    return { mass: 0, sensitivity: positive('sensitivity', tree.sensitivity), parameters: new Map() }
  }
  const kind = 'series' in tree ? 'series' : 'parallel'
  checkFields(`${owner}: ${where}`, tree, [kind, 'mass'])
  const list = (tree as Series & Parallel)[kind]
  if (!Array.isArray(list) || list.length === 0) throw optionError(owner, field(kind), list, 'a list of modules')
  const children = list.map((child, index) => compose(owner, `${field(kind)}[${index}]`, child))
  const composed = kind === 'series' ? inSeries(owner, children) : inParallel(owner, children)
  return tree.mass === undefined ? composed : { ...composed, mass: positive('mass', tree.mass) }
}

function inSeries(owner: string, children: readonly Composed[]): Composed {
  const after = children.map((_, index) => product(children.slice(index + 1).map(({ sensitivity }) => sensitivity)))
  return joined(owner, children, after, product(children.map(({ sensitivity }) => sensitivity)))
}

function inParallel(owner: string, children: readonly Composed[]): Composed {
  const sum = children.reduce((partial, { sensitivity }) => partial + sensitivity, 0)
  return joined(
    owner,
    children,
    children.map(() => 1),
    sum,
  )
}

function joined(owner: string, children: readonly Composed[], after: readonly number[], sensitivity: number): Composed {
  const mass = children.reduce((sum, child) => sum + child.mass, 0)
  const parameters = new Map<string, ModularParameter>()
  children.forEach((child, index) => {
    for (const [name, { role, scale }] of child.parameters) {
      if (parameters.has(name)) throw optionError(owner, 'modules', name, 'a tree that names every parameter once')
      parameters.set(name, { role, scale: scale * (mass / child.mass) * after[index]! })
    }
  })
  return { mass, sensitivity, parameters }
}

const product = (factors: readonly number[]) => factors.reduce((partial, factor) => partial * factor, 1)
