import type { Oid } from '../core/oid.js'
import type { OidTable } from './oid-table.js'
import type { RecordFile, RecordLayout } from './record-file.js'

/*
 * The format of Durus's FileStorage2, as `durus/file_storage2.py` of Durus 4 describes it:
 *
 *   DFS20\0 · where the index is: 8 bytes · transactions · index · more transactions
 *   transaction: records · 4 zero bytes
 *   index: length of the rest: 8 bytes · a pickle, compressed, that maps oids to offsets
 *
 * The index has in it what the transactions before it tell, so it is skipped, and need not be unpickled. Records of
 * later transactions replace earlier ones.
 */

export const DFS20_RECORD: RecordLayout = { lengthBytes: 4, oidCopies: 1 }

const INDEX_OFFSET = 6
const INT_BYTES = 8
const FIRST_TRANSACTION = INDEX_OFFSET + INT_BYTES
/** Where the length of a record would be, the end of a transaction has a 0. */
const END_BYTES = 4

/**
 * Reads a file from beginning to end, and notes where the newest record of each object is.
 *
 * @returns how many bytes at the end belong to a transaction that was not completed
 * @throws CorruptionError
 */
export function scanDfs20(file: RecordFile, places: OidTable): number {
  const index = file.int8(INDEX_OFFSET)
  if (index === 0) throw file.damaged(INDEX_OFFSET, 'it has no index: Durus was stopped while it wrote the file.')
  if (index < FIRST_TRANSACTION || index + INT_BYTES > file.size) {
    throw file.damaged(INDEX_OFFSET, `the index cannot be at byte ${index}.`)
  }
  const before = scanTransactions(file, FIRST_TRANSACTION, index, places)
  if (before !== index) throw file.damaged(before, 'the transaction that begins here does not end before the index.')
  const end = index + INT_BYTES + file.int8(index)
  if (end > file.size) throw file.damaged(index, 'the index ends behind the end of the file.')
  return file.size - scanTransactions(file, end, file.size, places)
}

/** Reads whole transactions, and returns where the last one ends: before `end` if there is a beginning of one more. */
function scanTransactions(file: RecordFile, start: number, end: number, places: OidTable): number {
  const limit = end === file.size ? Infinity : end
  let transaction = start
  let [oids, positions]: [Oid[], number[]] = [[], []]
  for (let position = start; position + END_BYTES <= end; ) {
    if (file.int4(position) !== 0) {
      const next = file.check(position, limit)
      oids.push(file.oid)
      positions.push(position)
      position = next
      continue
    }
    for (let i = 0; i < oids.length; i++) places.set(oids[i] as Oid, positions[i] as number)
    if (oids.length > 0) [oids, positions] = [[], []]
    position += END_BYTES
    transaction = position
  }
  return transaction
}
