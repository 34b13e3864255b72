import { crc32 } from 'node:zlib'
import { CorruptionError } from '../core/errors.js'
import type { Oid } from '../core/oid.js'
import type { TransactionInfo } from '../core/storage.js'
import {
  RECORD_HEADER_BYTES,
  RESTORE_OR_REPAIR,
  readTrailer,
  recordLength,
  recordOid,
  recordTid,
  remarkLength,
  TRAILER_BYTES,
  TRANSACTION_HEADER_BYTES,
  type TransactionHeader,
  viewOf,
} from './format.js'
import type { ReadWindow } from './read-window.js'
import { readRemarks } from './transaction.js'

/** Bytes of a transaction that are checked in one step. */
const STEP_BYTES = 64 * 1024

/** How many records are listed in one step. */
const STEP_RECORDS = 1024

/**
 * What is to be told of a transaction. All of it is read and checked, in small pieces: it may be larger than what one
 * would want to have in memory.
 *
 * @throws CorruptionError
 */
export function* readTransactionInfo(
  path: string,
  window: ReadWindow,
  { position, header }: { readonly position: number; readonly header: TransactionHeader },
): Generator<undefined, TransactionInfo, undefined> {
  const end = position + header.length - TRAILER_BYTES
  let checksum = 0
  for (let at = position; at < end; at += STEP_BYTES) {
    checksum = crc32(window.bytes(at, Math.min(STEP_BYTES, end - at)), checksum)
    yield
  }
  const trailer = readTrailer(window.bytes(end, TRAILER_BYTES))
  if (trailer?.length !== header.length || trailer.checksum !== checksum) {
    throw new CorruptionError(
      path,
      position,
      `the checksum of transaction ${header.tid} is wrong. ${RESTORE_OR_REPAIR}`,
    )
  }
  const remarks = readRemarks(window.bytes(position, TRANSACTION_HEADER_BYTES + remarkLength(header)))
  const oids: Oid[] = []
  let at = position + TRANSACTION_HEADER_BYTES + remarkLength(header)
  for (let i = 0; i < header.recordCount; i++) {
    const view = viewOf(window.bytes(at, RECORD_HEADER_BYTES))
    if (view.byteLength < RECORD_HEADER_BYTES || at + RECORD_HEADER_BYTES + recordLength(view, 0) > end) {
      throw new CorruptionError(path, at, `transaction ${header.tid} has fewer records than it says.`)
    }
    // A pack may have added versions of others that this transaction refers to. They are not of its writing.
    if (recordTid(view, 0) === header.tid) oids.push(recordOid(view, 0))
    at += RECORD_HEADER_BYTES + recordLength(view, 0)
    if (i % STEP_RECORDS === 0) yield
  }
  return { tid: header.tid, time: new Date(header.time), ...remarks, bytes: header.length, oids }
}
