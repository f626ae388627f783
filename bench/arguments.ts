// The command line: SUBJECT [--quick] [--json].

export const subjects = [
  'eigh',
  'inverse-root',
  'spd-inverse',
  'orthogonalize',
  'factors',
  'gemm',
  'kronecker',
  'elementwise',
  'scaling',
  'overhead',
] as const
export type SubjectName = (typeof subjects)[number]

export interface Arguments {
  /** One, or every one for `all`. */
  readonly chosen: readonly SubjectName[]
  /** `accuracy`: the table of errors in place of any race. */
  readonly accuracy: boolean
  readonly quick: boolean
  readonly json: boolean
}

/** The arguments, or one line that says what is wrong with them. */
export function parse(argv: readonly string[]): Arguments | string {
  const usage = `usage: npm run -s bench -- SUBJECT [--quick] [--json]; subjects: all, accuracy, ${subjects.join(', ')}`
  const flags = argv.filter((argument) => argument.startsWith('-'))
  const names = argv.filter((argument) => !argument.startsWith('-'))
  const unknown = flags.find((flag) => flag !== '--quick' && flag !== '--json')
  if (unknown) return `unknown option ${unknown}; ${usage}`
  if (names.length !== 1) return names.length === 0 ? `no subject; ${usage}` : `more than one subject; ${usage}`
  const accuracy = names[0] === 'accuracy'
  const chosen = names[0] === 'all' ? subjects : subjects.filter((name) => name === names[0])
  if (chosen.length === 0 && !accuracy) return `unknown subject ${names[0]}; ${usage}`
  return { chosen, accuracy, quick: flags.includes('--quick'), json: flags.includes('--json') }
}
