import { CorruptionError } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import {
  checksumSeed,
  FILE_HEADER_BYTES,
  type FileHeader,
  RESTORE_OR_REPAIR,
  readTrailer,
  readTransactionHeader,
  TRAILER_BYTES,
  TRANSACTION_HEADER_BYTES,
  type TransactionHeader,
} from './format.js'
import { HeaderFinder } from './header-finder.js'
import type { OpenFile } from './journal-file.js'
import { ReadWindow } from './read-window.js'

/** The moment after a transaction. */
export interface PackMoment {
  readonly tid: Tid
  /** Milliseconds since 1970. */
  readonly time: number
  /** Offset in the journal where the transaction ends. */
  readonly end: number
  readonly nextOid: Oid
}

/**
 * The moment after the transaction that ends at an offset, or before the first one.
 *
 * @throws CorruptionError if there is no such transaction
 */
export function momentAt(file: OpenFile, header: FileHeader, end: number): PackMoment {
  if (end === FILE_HEADER_BYTES) return { tid: header.baseTid, time: 0, end, nextOid: 0 }
  const trailer = Buffer.alloc(TRAILER_BYTES)
  file.read(trailer, 0, TRAILER_BYTES, end - TRAILER_BYTES)
  const position = end - (readTrailer(trailer)?.length ?? 0)
  const bytes = Buffer.alloc(TRANSACTION_HEADER_BYTES)
  const isThere = position >= FILE_HEADER_BYTES && file.read(bytes, 0, bytes.length, position) === bytes.length
  const transaction = isThere ? readTransactionHeader(bytes, position, checksumSeed(header.uuid)) : undefined
  if (transaction === undefined || position + transaction.length !== end) {
    throw new CorruptionError(file.path, end, `no transaction ends there. ${RESTORE_OR_REPAIR}`)
  }
  const { tid, time, nextOid } = transaction
  return { tid, time, end, nextOid }
}

/**
 * The moment after the last transaction that is not later than something, which is found by bisection.
 *
 * @param end where the newest transaction ends
 * @param isWanted holds for all transactions up to some one, and for none behind it
 * @throws CorruptionError
 */
export function lastMoment(
  file: OpenFile,
  header: FileHeader,
  end: number,
  isWanted: (transaction: TransactionHeader) => boolean,
): PackMoment {
  const headers = new HeaderFinder(new ReadWindow(file, end), checksumSeed(header.uuid), end)
  // Transactions that begin before `low` are wanted, those that begin at `high` or later are not.
  let low = FILE_HEADER_BYTES
  let high = end
  while (low < high) {
    const middle = low + Math.floor((high - low) / 16) * 8
    const position = headers.find(middle, high)
    const transaction = position === undefined ? undefined : headers.at(position)
    if (position === undefined || transaction === undefined || !isWanted(transaction)) high = middle
    else low = position + transaction.length
  }
  return momentAt(file, header, low)
}
