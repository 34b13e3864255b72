import type { Oid, Tid } from '../core/oid.js'
import {
  checksumSeed,
  FILE_HEADER_BYTES,
  type FileHeader,
  readTrailer,
  readTransactionHeader,
  TRAILER_BYTES,
  TRANSACTION_HEADER_BYTES,
} from './format.js'
import type { OpenFile } from './journal-file.js'

/** The moment after a transaction. */
export interface PackMoment {
  readonly tid: Tid
  /** Milliseconds since 1970. */
  readonly time: number
  /** Offset in the journal where the transaction ends. */
  readonly end: number
  readonly nextOid: Oid
}

/** The moment after the transaction that ends at an offset, or before the first one; undefined if none ends there. */
export function momentAt(file: OpenFile, header: FileHeader, end: number): PackMoment | undefined {
  if (end === FILE_HEADER_BYTES) return { tid: header.baseTid, time: 0, end, nextOid: 0 }
  const trailer = Buffer.alloc(TRAILER_BYTES)
  file.read(trailer, 0, TRAILER_BYTES, end - TRAILER_BYTES)
  const length = readTrailer(trailer)?.length
  if (length === undefined || length > end - FILE_HEADER_BYTES) return undefined
  const bytes = Buffer.alloc(TRANSACTION_HEADER_BYTES)
  file.read(bytes, 0, bytes.length, end - length)
  const transaction = readTransactionHeader(bytes, end - length, checksumSeed(header.uuid))
  if (transaction?.length !== length) return undefined
  const { tid, time, nextOid } = transaction
  return { tid, time, end, nextOid }
}
