import { PerdureError } from '../../core/errors.js'
import { isId, type Tid } from '../../core/oid.js'
import type { CommitRequest, PointInTime } from '../../core/storage.js'
import { MAX_NOTE_BYTES, MAX_USER_BYTES, TOKEN_BYTES } from '../../journal/format.js'

/** A moment as it is sent. */
export function pointOf(at: PointInTime): { readonly tid: Tid } | { readonly time: number } {
  if (typeof at !== 'number') return { time: at.getTime() }
  if (!isId(at)) throw new PerdureError('PERDURE_ARGUMENT', `${at} is not a transaction identifier.`)
  return { tid: at }
}

/** Refuses numbers of oids that nobody can allocate. */
export function checkCount(count: number): void {
  if (Number.isSafeInteger(count) && count >= 1) return
  throw new PerdureError('PERDURE_ARGUMENT', `Cannot allocate ${count} oids: the count must be a whole number from 1.`)
}

/** Refuses what cannot be sent. The rest is the server's storage to judge. */
export function checkRequest({ base, reads, writes, note = '', user = '', token }: CommitRequest): void {
  if (!isId(base)) throw new PerdureError('PERDURE_ARGUMENT', `${base} is not a transaction identifier.`)
  const bad = reads.find((oid) => !isId(oid)) ?? writes.find(({ oid }) => !isId(oid))?.oid
  if (bad !== undefined) {
    throw new PerdureError('PERDURE_ARGUMENT', `${bad} is not an object identifier.`, { details: { oid: bad } })
  }
  if (token !== undefined && token.length !== TOKEN_BYTES) {
    throw new PerdureError('PERDURE_ARGUMENT', `A token has ${TOKEN_BYTES} bytes, not ${token.length}.`)
  }
  checkLength('note', note, MAX_NOTE_BYTES)
  checkLength('user', user, MAX_USER_BYTES)
}

function checkLength(what: string, text: string, limit: number): void {
  const bytes = Buffer.byteLength(text)
  if (bytes <= limit) return
  throw new PerdureError('PERDURE_LIMIT', `The ${what} is longer than ${limit} bytes of UTF-8.`, {
    details: { bytes, limit },
  })
}
