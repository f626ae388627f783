// The command line: SUBJECT [--quick] [--json] [--journal=FILE].

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

/** Subjects with an output of their own in place of the rows; `all` leaves them out. */
export const studies = ['optimizer-step', 'training'] as const
export type StudyName = (typeof studies)[number]

export interface Arguments {
  /** One, or every one for `all`. */
  readonly chosen: readonly SubjectName[]
  /** `accuracy`: the table of errors in place of any race. */
  readonly accuracy: boolean
  /** A study in place of any race. */
  readonly study: StudyName | undefined
  readonly quick: boolean
  readonly json: boolean
  /** File in which a study keeps finished runs, and from which it goes on. */
  readonly journal: string | undefined
}

/** The arguments, or one line that says what is wrong with them. */
export function parse(argv: readonly string[]): Arguments | string {
  const usage = `usage: npm run -s bench -- SUBJECT [--quick] [--json] [--journal=FILE]; subjects: all, accuracy, ${[...subjects, ...studies].join(', ')}`
  const flags = argv.filter((argument) => argument.startsWith('-'))
  const names = argv.filter((argument) => !argument.startsWith('-'))
  const journal = flags.find((flag) => /^--journal=./.test(flag))?.slice('--journal='.length)
  const unknown = flags.find((flag) => !['--quick', '--json', `--journal=${journal}`].includes(flag))
  if (unknown) return `unknown option ${unknown}; ${usage}`
  if (names.length !== 1) return names.length === 0 ? `no subject; ${usage}` : `more than one subject; ${usage}`
  const accuracy = names[0] === 'accuracy'
  const study = studies.find((name) => name === names[0])
  const chosen = names[0] === 'all' ? subjects : subjects.filter((name) => name === names[0])
  if (chosen.length === 0 && !accuracy && !study) return `unknown subject ${names[0]}; ${usage}`
  return { chosen, accuracy, study, quick: flags.includes('--quick'), json: flags.includes('--json'), journal }
}
