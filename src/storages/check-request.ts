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
  const bad = reads.find((oid) => !isId(oid)) ?? writes.find(({ oid }) => !isId(oid))?.oid
  if (bad !== undefined) {
    throw new PerdureError('PERDURE_ARGUMENT', `${bad} is not an object identifier.`, { details: { oid: bad } })
  }
  const twice = findTwice(writes)
  if (twice !== undefined) {
    throw new PerdureError('PERDURE_ARGUMENT', `Object ${twice} is written twice.`, { details: { oid: twice } })
  }
  checkLength('note', note, MAX_NOTE_BYTES)
  checkLength('user', user, MAX_USER_BYTES)
  if (token !== undefined && token.length !== TOKEN_BYTES) {
    throw new PerdureError('PERDURE_ARGUMENT', `A transaction's token has ${TOKEN_BYTES} bytes, not ${token.length}.`)
  }
}

/** @throws PerdureError `PERDURE_ARGUMENT` for a number of oids that nobody can allocate */
export function checkCount(count: number): void {
  if (Number.isSafeInteger(count) && count >= 1) return
  throw new PerdureError('PERDURE_ARGUMENT', `Cannot allocate ${count} oids: the count must be a whole number from 1.`)
}

function findTwice(writes: CommitRequest['writes']): Oid | undefined {
  // New objects mostly come in the order of their oids, and then there is nothing to remember.
  let last = -1
  const ascending = writes.every(({ oid }) => {
    const follows = oid > last
    last = oid
    return follows
  })
  if (ascending) return undefined
  const seen = new Set<Oid>()
  return writes.find(({ oid }) => seen.size === seen.add(oid).size)?.oid
}

function checkLength(what: string, text: string, limit: number): void {
  const bytes = Buffer.byteLength(text)
  if (bytes <= limit) return
  throw new PerdureError('PERDURE_LIMIT', `The ${what} is longer than ${limit} bytes of UTF-8.`, {
    details: { bytes, limit },
  })
}
