/** The directory of this file. */
export const directory: string
/** `require` of an absolute path. */
export function load(file: string): unknown
