import type { OidTable } from './oid-table.js'
import type { RecordFile, RecordLayout } from './record-file.js'

/*
 * The format of Durus's FileStorage, as `durus/shelf.py` of Durus 4 describes it; all integers take 8 bytes:
 *
 *   SHELF-1\n · transaction · offset map · more transactions
 *   transaction: length of the rest · records
 *   offset map: length of the rest · bytes of an entry · number of entries · entries
 *
 * Entry i of the offset map is where the record of oid i begins in the first transaction; if it is not below the map's
 * own start there is none. Records of later transactions replace earlier ones.
 */

export const SHELF_RECORD: RecordLayout = { lengthBytes: 8, oidCopies: 2 }

const FIRST_TRANSACTION = 8
const INT_BYTES = 8
const MAP_HEAD_BYTES = 3 * INT_BYTES
const MAX_ENTRY_BYTES = 8
const PIECE_ENTRIES = 8192

/**
 * Reads a file from beginning to end, and notes where the newest record of each object is. All is read, also what the
 * offset map tells: so damage is noticed before anything is imported, and the two must agree.
 *
 * @returns how many bytes at the end belong to a transaction that was not completed
 * @throws CorruptionError
 */
export function scanShelf(file: RecordFile, places: OidTable): number {
  const first = FIRST_TRANSACTION + INT_BYTES
  const map = first + file.int8(FIRST_TRANSACTION)
  if (map > file.size) throw file.damaged(FIRST_TRANSACTION, 'the first transaction ends behind the end of the file.')
  const count = scanRecords(file, first, map, places)
  if (count !== places.count) throw file.damaged(first, 'the first transaction has several records of one object.')
  let position = scanOffsetMap(file, map, places)
  while (position < file.size) {
    const start = position + INT_BYTES
    if (start > file.size) return file.size - position
    const length = file.int8(position)
    if (!Number.isSafeInteger(length)) throw file.damaged(position, 'the length of a transaction is impossible.')
    const end = start + length
    if (end > file.size || (length === 0 && file.isRecord(start))) {
      checkTorn(file, start, length === 0 ? Infinity : end)
      return file.size - position
    }
    scanRecords(file, start, end, places)
    position = end
  }
  return 0
}

/** Reads the records of one whole transaction. Returns how many there are. */
function scanRecords(file: RecordFile, start: number, end: number, places: OidTable): number {
  let count = 0
  for (let position = start; position < end; count++) {
    const next = file.check(position, end)
    places.set(file.oid, position)
    position = next
  }
  return count
}

/**
 * A transaction that was not completed is either cut off, or its length is still 0: Durus writes that last. Its records
 * must make sense as far as they are there. If they do not, a length was damaged, and what follows was complete.
 */
function checkTorn(file: RecordFile, start: number, end: number): void {
  let position = start
  while (position < Math.min(end, file.size)) position = file.check(position, end)
}

/** Checks that the offset map says of each record in the first transaction where it is. Returns where the map ends. */
function scanOffsetMap(file: RecordFile, map: number, places: OidTable): number {
  if (map + MAP_HEAD_BYTES > file.size) throw file.damaged(map, 'the offset map is cut off.')
  const rest = file.int8(map)
  const width = file.int8(map + INT_BYTES)
  const entries = file.int8(map + 2 * INT_BYTES)
  if (width < 1 || width > MAX_ENTRY_BYTES || rest !== MAP_HEAD_BYTES - INT_BYTES + width * entries) {
    throw file.damaged(map, 'the lengths in the offset map contradict each other.')
  }
  const end = map + INT_BYTES + rest
  if (end > file.size) throw file.damaged(map, 'the offset map ends behind the end of the file.')
  let known = 0
  for (let first = 0; first < entries; first += PIECE_ENTRIES) {
    const start = map + MAP_HEAD_BYTES + first * width
    const piece = file.bytes(start, Math.min(PIECE_ENTRIES, entries - first) * width)
    for (let at = 0; at < piece.length; at += width) {
      const place = entry(piece, at, width)
      if (place >= map) continue
      const oid = first + at / width
      if (places.get(oid) !== place) {
        throw file.damaged(start + at, `the offset map says that object ${oid} is at byte ${place}; it is not.`)
      }
      known++
    }
  }
  if (known !== places.count) throw file.damaged(map, 'the offset map lacks objects of the first transaction.')
  return end
}

/** Inexact above 2^53, which no offset is. */
function entry(bytes: Buffer, at: number, width: number): number {
  let value = 0
  for (let i = at; i < at + width; i++) value = value * 256 + (bytes[i] as number)
  return value
}
