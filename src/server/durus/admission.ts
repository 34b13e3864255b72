import { PerdureError } from '../../core/errors.js'
import { PICKLE } from '../../core/pickle.js'
import type { Storage } from '../../core/storage.js'
import type { Authenticator, Identity, PeerContext } from '../authentication.js'

/**
 * Lets a Durus client in, or says why not. It cannot say who it is: it is let in where strangers, or clients with its
 * certificate, may write.
 */
export function admit(storage: Storage, authenticator: Authenticator, peer: PeerContext): Identity | PerdureError {
  const { serializer, location } = storage
  if (serializer !== PICKLE) {
    return new PerdureError(
      'PERDURE_SERIALIZER',
      `A Durus client cannot use ${location}: its serializer is ${serializer}, and Durus clients need one created with ${PICKLE}.`,
      { details: { path: location, stored: serializer, asked: PICKLE } },
    )
  }
  const identity = authenticator.identify(peer)
  if (identity !== undefined && identity.role !== 'reader') return identity
  return new PerdureError(
    'PERDURE_PERMISSION',
    'A Durus client cannot say who it is, so it is served only where strangers may write.',
  )
}
