import type { Oid, Tid } from '../core/oid.js'
import { FILE_HEADER_BYTES, type FileHeader } from './format.js'
import type { FoundTransaction } from './transaction-finder.js'

/** The moment after a transaction. */
export interface PackMoment {
  readonly tid: Tid
  /** Milliseconds since 1970. */
  readonly time: number
  /** Offset in the journal where the transaction ends. */
  readonly end: number
  readonly nextOid: Oid
}

/** The moment after a transaction of a journal, or before the first one. */
export function momentAfter(journal: FileHeader, transaction: FoundTransaction | undefined): PackMoment {
  if (transaction === undefined) return { tid: journal.baseTid, time: 0, end: FILE_HEADER_BYTES, nextOid: 0 }
  const { tid, time, nextOid } = transaction.header
  return { tid, time, end: transaction.end, nextOid }
}
