// The command line: SUBJECT [--quick] [--json].

export const subjects = ['eigh', 'inverse-root', 'spd-inverse', 'orthogonalize', 'gemm', 'scaling', 'overhead'] as const
export type SubjectName = (typeof subjects)[number]

export interface Arguments {
  /** One, or every one for `all`. */
  readonly chosen: readonly SubjectName[]
  readonly quick: boolean
  readonly json: boolean
}

/** The arguments, or one line that says what is wrong with them. */
export function parse(argv: readonly string[]): Arguments | string {
  const usage = `usage: npm run -s bench -- SUBJECT [--quick] [--json]; subjects: all, ${subjects.join(', ')}`
  const flags = argv.filter((argument) => argument.startsWith('-'))
  const names = argv.filter((argument) => !argument.startsWith('-'))
  const unknown = flags.find((flag) => flag !== '--quick' && flag !== '--json')
  if (unknown) return `unknown option ${unknown}; ${usage}`
  if (names.length !== 1) return names.length === 0 ? `no subject; ${usage}` : `more than one subject; ${usage}`
  const chosen = names[0] === 'all' ? subjects : subjects.filter((name) => name === names[0])
  if (chosen.length === 0) return `unknown subject ${names[0]}; ${usage}`
  return { chosen, quick: flags.includes('--quick'), json: flags.includes('--json') }
}
