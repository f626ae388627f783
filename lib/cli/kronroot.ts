#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import { UsageError } from '../train/usage-error.js'
import { addCompareCommand } from './compare.js'

/**
 * Entry of the command line. Exit codes: 0 success, 1 a failed check or a fault of the program, 2 something the caller can
 * mend (a flag, a missing package or data set, a folder that cannot be written).
 */
async function run(): Promise<number> {
  const program = new Command('kronroot')
    .description('Second-order training on native kernels')
    .exitOverride()
    .showSuggestionAfterError(false)
    .configureOutput({ outputError: () => {} })
  addCompareCommand(program)
  try {
    await program.parseAsync()
    return Number(process.exitCode ?? 0)
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0
    if (error instanceof CommanderError || error instanceof UsageError) {
      process.stderr.write(`kronroot: ${oneLine(error.message)}\n`)
      return 2
    }
    process.stderr.write(`kronroot: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    return 1
  }
}

function oneLine(message: string): string {
  return message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ')
}

process.exitCode = await run()
