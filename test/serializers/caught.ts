import { expect } from 'chai'
import { PerdureError } from '../../src/core/errors.js'

/** The PerdureError that `action` throws. */
export function caught(action: () => unknown): PerdureError {
  try {
    action()
  } catch (error) {
    expect(error).to.be.instanceOf(PerdureError)
    return error as PerdureError
  }
  return expect.fail('nothing was thrown')
}
