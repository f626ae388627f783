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

/** Studies, with tables of their own. */
export const studies = ['optimizer-step'] as const
export type StudyName = (typeof studies)[number]

export interface Arguments {
  /** One, or every one for `all`. */
  readonly chosen: readonly SubjectName[]
  /** `accuracy`: the table of errors in place of any race. */
  readonly accuracy: boolean
  /** A study in place of subjects. */
  readonly study: StudyName | undefined
  readonly quick: boolean
  readonly json: boolean
}

/** The arguments, or one line that says what is wrong with them. */
export function parse(argv: readonly string[]): Arguments | string {
  const usage = `usage: npm run -s bench -- SUBJECT [--quick] [--json]; subjects: all, accuracy, ${[...studies, ...subjects].join(', ')}`
  const flags = argv.filter((argument) => argument.startsWith('-'))
  const names = argv.filter((argument) => !argument.startsWith('-'))
  const unknown = flags.find((flag) => flag !== '--quick' && flag !== '--json')
  if (unknown) return `unknown option ${unknown}; ${usage}`
  if (names.length !== 1) return names.length === 0 ? `no subject; ${usage}` : `more than one subject; ${usage}`
  const accuracy = names[0] === 'accuracy'
  const chosen = names[0] === 'all' ? subjects : subjects.filter((name) => name === names[0])
  const study = studies.find((name) => name === names[0])
  if (chosen.length === 0 && !accuracy && study === undefined) return `unknown subject ${names[0]}; ${usage}`
  return { chosen, accuracy, study, quick: flags.includes('--quick'), json: flags.includes('--json') }
}
