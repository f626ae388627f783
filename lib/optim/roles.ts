import { checkFields } from '../errors.js'
import type { ParameterArray } from '../precondition/arrays.js'
import type { MupRole } from '../schedule/mup.js'
import { oneOf } from '../schedule/validate.js'
import type { GroupOptions } from './group.js'
import type { Parameter, ParameterGroupOptions } from './optimizer.js'

/**
 * What a parameter is to its network, declared by whoever built it: shapes and names do not tell. The roles are those of
 * {@link mup}: `hidden` weights between widths that grow, `input` weights from one that does not, the `head`, `embedding`
 * tables [rows, width], `bias` and `norm` vectors.
 */
export type ParameterRole = MupRole

export const PARAMETER_ROLES: readonly ParameterRole[] = ['hidden', 'input', 'head', 'embedding', 'bias', 'norm']

/** What each role gets. Roles with the same object share a group, and with it the stacks of their rule. */
export type RoleTable = Readonly<Partial<Record<ParameterRole, GroupOptions>>>

/**
 * Groups of an `Optimizer` from parameters with roles and a table that says what each role gets, in the order in which the
 * table names them first. Roles without a parameter make no group.
 *
 *     const vectors = { rule: adamw(), lr: 1e-3, weightDecay: 0 }
 *     const tables = { rule: adamw(), lr: 1e-3, weightDecay: 0.1 }
 *     const groups = groupsByRole(parameters, {
 *       hidden: { rule: muon(), lr: 0.02, weightDecay: 0.1 },
 *       input: tables, head: tables, embedding: tables, bias: vectors, norm: vectors,
 *     })
 *
 * @throws ERR_OPTION for an unknown role, and for a parameter whose role is not in the table.
 */
export function groupsByRole<Value extends ParameterArray = Float32Array>(
  parameters: readonly (Parameter<Value> & { readonly role: ParameterRole })[],
  table: RoleTable,
): ParameterGroupOptions<Value>[] {
  checkFields('groupsByRole: table', table, PARAMETER_ROLES)
  const declared = Object.keys(table) as ParameterRole[]
  const groups = new Map<GroupOptions, Parameter<Value>[]>()
  for (const options of Object.values(table)) groups.set(options, [])
  for (const { role, ...parameter } of parameters) {
    oneOf('groupsByRole', `role of ${parameter.name}`, role, declared)
    groups.get(table[role]!)!.push(parameter as Parameter<Value>)
  }
  return [...groups].filter(([, params]) => params.length > 0).map(([options, params]) => ({ ...options, params }))
}
