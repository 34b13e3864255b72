import { PerdureError } from '../../core/errors.js'

/**
 * An authentication that failed.
 *
 * @param message for the other side as well, so it must not tell whether there is such a user
 * @param reason for the own log alone: it becomes the `cause`, which does not cross the wire
 */
export function authenticationError(message: string, reason?: string | Error): PerdureError {
  const cause = typeof reason === 'string' ? new Error(reason) : reason
  return new PerdureError('PERDURE_AUTHENTICATION', message, cause === undefined ? {} : { cause })
}
