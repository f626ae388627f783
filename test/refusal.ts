// Assertions on the typed errors of the public surface.
import { expect } from 'vitest'
import { type ErrorCode, KronrootError } from '../lib/index.js'

/** That `call` throws a KronrootError of this code whose message holds or matches `message`. */
export function expectRefused(call: () => unknown, code: ErrorCode, message: string | RegExp = ''): void {
  let error: unknown = new Error('nothing was thrown')
  try {
    call()
  } catch (thrown) {
    error = thrown
  }
  check(error, code, message)
}

/** The same of a promise that must be rejected. */
export async function expectRejected(
  promise: Promise<unknown>,
  code: ErrorCode,
  message: string | RegExp = '',
): Promise<void> {
  const error = await promise.then(
    () => new Error('the promise was resolved'),
    (reason: unknown) => reason,
  )
  check(error, code, message)
}

function check(error: unknown, code: ErrorCode, message: string | RegExp): void {
  expect(error, String(error)).toBeInstanceOf(KronrootError)
  expect((error as KronrootError).code, String(error)).toBe(code)
  expect((error as KronrootError).message).toMatch(message)
}
