import { expect } from 'chai'
import { type ErrorCode, PerdureError } from '../../src/core/errors.js'

/** Runs `action`, which must throw or reject with a PerdureError of this code, and returns the error. */
export async function failure(code: ErrorCode, action: () => unknown): Promise<PerdureError> {
  let result: unknown
  try {
    result = await action()
  } catch (error) {
    if (!(error instanceof PerdureError)) throw error
    expect(error.code, error.message).to.equal(code)
    return error
  }
  throw new Error(`Expected ${code}, but it went through with ${String(result)}`)
}

/** Whatever `action` throws; undefined if it throws nothing. */
export function anythingThrownBy(action: () => unknown): unknown {
  try {
    action()
  } catch (error) {
    return error
  }
  return undefined
}

/** The PerdureError that a synchronous `action` throws. */
export function thrownBy(action: () => unknown): PerdureError {
  let result: unknown
  try {
    result = action()
  } catch (error) {
    if (!(error instanceof PerdureError)) throw error
    return error
  }
  throw new Error(`Expected an error, but it went through with ${String(result)}`)
}
