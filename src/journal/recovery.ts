import { CorruptionError } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import type { CheckpointFile, CheckpointHeader } from './checkpoint.js'
import {
  checksumSeed,
  FILE_HEADER_BYTES,
  type FileHeader,
  RESTORE_OR_REPAIR,
  readTrailer,
  recordPrevious,
  TRAILER_BYTES,
} from './format.js'
import type { OpenFile } from './journal-file.js'
import { JournalScanner, type ScannedTransaction } from './scanner.js'
import type { TransactionImage } from './transaction.js'

/** What has become of the checkpoint when a storage was opened. All but `used` mean that the journal was replayed. */
export type CheckpointUse = 'used' | 'missing' | 'damaged' | 'foreign'

/** What was done to open a storage. */
export interface RecoveryReport {
  readonly checkpoint: CheckpointUse
  /** Transactions read from the journal because no checkpoint had them. */
  readonly transactionsReplayed: number
  /** Where a torn transaction was found at the end of the journal; undefined if there was none. */
  readonly cutAt: number | undefined
  /** Bytes from there to the end of the file. */
  readonly cutBytes: number
  /** Bytes that were written a second time, because it was not known whether they were on the disk. */
  readonly bytesRewritten: number
}

/** The state of a journal at some offset. */
export interface JournalState {
  /** Where the next transaction goes. */
  readonly end: number
  readonly tid: Tid
  readonly time: number
  readonly nextOid: Oid
  readonly objects: number
  /** Checksum of the last transaction, or 0. */
  readonly checksum: number
}

/** Told of each transaction that a replay finds, in order. */
export type ReplayVisitor = (transaction: ScannedTransaction) => void

/** The state of a journal before its first transaction. */
export function beginningOf({ baseTid }: FileHeader): JournalState {
  return { end: FILE_HEADER_BYTES, tid: baseTid, time: 0, nextOid: 0, objects: 0, checksum: 0 }
}

/** The state of the journal after one more transaction. */
export function stateAfter(state: JournalState, { end, header, checksum, image }: ScannedTransaction): JournalState {
  return {
    end,
    tid: header.tid,
    time: header.time,
    nextOid: header.nextOid,
    objects: state.objects + countNewObjects(image),
    checksum,
  }
}

/** How many records of a stamped transaction have no version before them. */
export function countNewObjects(image: TransactionImage): number {
  let count = 0
  image.forEachRecord((_oid, offset) => {
    if (recordPrevious(image.view, offset) === 0) count++
  })
  return count
}

/**
 * Whether the checkpoint tells of this journal.
 *
 * @throws CorruptionError if it tells of bytes that the journal no longer has
 */
export function checkpointUse(journal: OpenFile, { header }: CheckpointFile): CheckpointUse {
  // Asked for only now that the checkpoint has been read: a journal that is being written only gets longer.
  const size = journal.size()
  if (header.required > size) throw lostBytes(journal.path, size, header.required)
  if (header.covered === FILE_HEADER_BYTES) return 'used'
  const bytes = Buffer.alloc(TRAILER_BYTES)
  journal.read(bytes, 0, TRAILER_BYTES, header.covered - TRAILER_BYTES)
  // A journal that was replaced by an older copy of itself, and then went another way, is told apart here.
  return readTrailer(bytes)?.checksum === header.checksum ? 'used' : 'foreign'
}

export function stateOfCheckpoint(header: CheckpointHeader): JournalState {
  const { covered, tid, time, nextOid, objects, checksum } = header
  return { end: covered, tid, time, nextOid, objects, checksum }
}

export interface ReplayResult {
  readonly state: JournalState
  readonly transactions: number
  /** The journal is known to have been on the disk up to here. */
  readonly durable: number
  /** Where a torn transaction begins. */
  readonly tornAt: number | undefined
}

export interface ReplayOptions {
  readonly journal: OpenFile
  readonly header: FileHeader
  /** Where to begin. */
  readonly from: JournalState
  /** The journal is known to have been on the disk up to here, from the checkpoint or the watermark. */
  readonly durable: number
  /** Nothing from this offset on is looked at. */
  readonly limit: number
  readonly visit: ReplayVisitor
}

/**
 * Reads the transactions after `from`. A bad transaction ends the journal if nothing shows that it had once been
 * on the disk; then it was never acknowledged.
 *
 * @throws CorruptionError with the offset of a bad transaction that had been on the disk
 */
export function replay(options: ReplayOptions): ReplayResult {
  const { journal, header, limit, visit } = options
  const scanner = new JournalScanner(journal, checksumSeed(header.uuid), options.from.end, limit)
  let state = options.from
  let { durable } = options
  let transactions = 0
  for (let transaction = scanner.next(); transaction !== undefined; transaction = scanner.next()) {
    if (transaction.header.tid !== state.tid + 1) {
      throw new CorruptionError(
        journal.path,
        transaction.position,
        `transaction ${transaction.header.tid} follows transaction ${state.tid}. ${RESTORE_OR_REPAIR}`,
      )
    }
    visit(transaction)
    state = stateAfter(state, transaction)
    durable = Math.max(durable, transaction.header.durable)
    transactions++
  }
  const torn = tornAt(scanner, options, durable, state.tid)
  return { state, transactions, durable: Math.min(durable, state.end), tornAt: torn }
}

/** Looks at what ends the journal: nothing, preallocated zeros, a torn transaction, or damage. */
function tornAt(
  scanner: JournalScanner,
  { journal, header, limit }: ReplayOptions,
  durable: number,
  tid: Tid,
): number | undefined {
  const at = scanner.position
  if (at < durable) throw lostBytes(journal.path, at, durable)
  if (tid < header.historyFrom) throw incompleteBase(journal.path, at, header)
  if (at >= limit) return undefined
  if (scanner.isZeroFrom(at)) return undefined
  const later = scanner.findAfter(at, (transaction) => transaction.header.durable > at)
  if (later === undefined) return at
  throw new CorruptionError(
    journal.path,
    at,
    `a transaction is damaged, and transaction ${later.header.tid} at byte ${later.position} shows that it had been stored safely. ${RESTORE_OR_REPAIR}`,
  )
}

function lostBytes(path: string, at: number, durable: number): CorruptionError {
  return new CorruptionError(
    path,
    at,
    `the bytes up to ${durable} had been stored safely. ${RESTORE_OR_REPAIR} If this file is a restored copy already, delete the sidecar files beside it (.index, .live).`,
  )
}

/** A pack syncs its base before anybody sees the file. */
function incompleteBase(path: string, at: number, { historyFrom }: FileHeader): CorruptionError {
  return new CorruptionError(
    path,
    at,
    `the journal was made by a pack and must go at least up to transaction ${historyFrom}. ${RESTORE_OR_REPAIR}`,
  )
}

/**
 * Writes a stretch of the journal once more. After a failed sync its pages may be readable and yet not be on the
 * disk, and a new sync alone would not write them because they count as clean.
 */
export function rewrite(journal: OpenFile, from: number, to: number): void {
  if (from >= to) return
  const buffer = Buffer.allocUnsafeSlow(Math.min(to - from, 1024 * 1024))
  for (let at = from; at < to; at += buffer.length) {
    const length = journal.read(buffer, 0, Math.min(buffer.length, to - at), at)
    journal.write([buffer.subarray(0, length)], at)
  }
}
