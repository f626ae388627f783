/**
 * Something the person at the command line can mend: a bad flag, a missing package, an unwritable folder. The command
 * prints the message as one line and exits with code 2; every other error is a fault of the program.
 */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
