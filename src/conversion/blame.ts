import { type ErrorCode, PerdureError } from '../core/errors.js'
import type { Oid } from '../core/oid.js'

/**
 * Does something with one object; what goes wrong says which one it was.
 *
 * @param what is decoded or encoded
 * @param code of an error that has none
 */
export function blame<T>(
  oid: Oid,
  what: 'The record' | 'The state',
  code: Extract<ErrorCode, 'PERDURE_DECODE' | 'PERDURE_UNSTORABLE'>,
  action: () => T,
): T {
  try {
    return action()
  } catch (cause) {
    const known = cause instanceof PerdureError ? cause : undefined
    const verb = code === 'PERDURE_DECODE' ? 'decoded' : 'encoded'
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new PerdureError(known?.code ?? code, `${what} of object ${oid} cannot be ${verb}. ${reason}`, {
      details: { ...known?.details, oid },
      cause,
    })
  }
}
