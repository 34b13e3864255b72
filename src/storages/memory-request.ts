import { PerdureError } from '../core/errors.js'
import { isId, type Oid } from '../core/oid.js'
import type { CommitRequest } from '../core/storage.js'
import { MAX_NOTE_BYTES, MAX_USER_BYTES, TOKEN_BYTES } from '../journal/format.js'

/**
 * Refuses what a caller may not ask of any storage.
 *
 * @throws PerdureError `PERDURE_ARGUMENT`, `PERDURE_LIMIT`
 */
export function checkRequest({ base, reads, writes, note = '', user = '', token }: CommitRequest): void {
  if (!isId(base)) throw new PerdureError('PERDURE_ARGUMENT', `${base} is not a transaction identifier.`)
  const oids = new Set<Oid>()
  for (const { oid } of writes) {
    if (oids.has(oid))
      throw new PerdureError('PERDURE_ARGUMENT', `Object ${oid} is written twice.`, { details: { oid } })
    oids.add(oid)
  }
  for (const oid of [...reads, ...oids]) {
    if (!isId(oid))
      throw new PerdureError('PERDURE_ARGUMENT', `${oid} is not an object identifier.`, { details: { oid } })
  }
  if (Buffer.byteLength(note) > MAX_NOTE_BYTES) {
    throw new PerdureError('PERDURE_LIMIT', `The note is longer than ${MAX_NOTE_BYTES} bytes of UTF-8.`)
  }
  if (Buffer.byteLength(user) > MAX_USER_BYTES) {
    throw new PerdureError('PERDURE_LIMIT', `The user is longer than ${MAX_USER_BYTES} bytes of UTF-8.`)
  }
  if (token !== undefined && token.length !== TOKEN_BYTES) {
    throw new PerdureError('PERDURE_ARGUMENT', `A transaction's token has ${TOKEN_BYTES} bytes, not ${token.length}.`)
  }
}
