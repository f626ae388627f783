/** Numbers of one parameter, as rules keep them. */
interface Keeper<Name extends string> {
  readonly numbers: Record<Name | 'age', number>
}

/**
 * Numbers that belong to a group, such as a step size of all parameters together. Rules keep numbers a parameter, and what a
 * parameter without a gradient keeps must not change; so each parameter keeps a copy, and the valid one is that of the
 * greatest age. `change` gets the valid numbers and changes them in place; those with a gradient take them over, one step
 * older.
 */
export function changeShared<Name extends string>(
  group: readonly Keeper<Name>[],
  present: readonly Keeper<Name>[],
  names: readonly Name[],
  change: (shared: Record<Name | 'age', number>) => void,
): Record<Name | 'age', number> {
  const { numbers } = group.reduce((oldest, one) => (one.numbers.age > oldest.numbers.age ? one : oldest))
  const shared = Object.fromEntries(['age' as const, ...names].map((name) => [name, numbers[name]])) as Record<
    Name | 'age',
    number
  >
  change(shared)
  shared.age++
  for (const one of present) Object.assign(one.numbers, shared)
  return shared
}
