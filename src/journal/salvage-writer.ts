import type { Oid, Tid } from '../core/oid.js'
import type { StoredRecord } from '../core/storage.js'
import {
  checksumSeed,
  encodeFileHeader,
  FILE_HEADER_BYTES,
  type FileHeader,
  RECORD_HEADER_BYTES,
  recordIsIntact,
  recordLength,
  recordOid,
  recordPrevious,
  recordTid,
  stampRecord,
  viewOf,
} from './format.js'
import type { OpenFile } from './journal-file.js'
import { OidNumbers } from './oid-numbers.js'
import type { BrokenPiece, WholePiece } from './salvage-order.js'
import { layOutTransaction, TransactionImage } from './transaction.js'

/** Bytes gathered for one write. */
const WRITE_BYTES = 1024 * 1024

/**
 * Writes what was salvaged into a new journal. Tids, times, notes and oids are kept. A transaction that was not whole
 * is replaced by one that has its number, holds what is left of its records, and says so in its note.
 */
export class SalvageWriter {
  readonly seed: number
  /** Offset in the new journal of each object's newest version. */
  readonly newest = new OidNumbers()
  /** Offset in the damaged journal where that version belonged. */
  readonly homes = new OidNumbers()
  /** Transactions that are whole, that have lost some of their records or their note, and that have lost all. */
  readonly transactions = { whole: 0, partial: 0, lost: 0 }
  /** Records taken from transactions that were not whole. */
  salvagedRecords = 0
  nextOid: Oid = 0
  readonly #file: OpenFile
  readonly #source: OpenFile
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #end = FILE_HEADER_BYTES
  #tid: Tid
  #time = 0

  constructor(file: OpenFile, header: FileHeader, source: OpenFile) {
    this.#file = file
    this.#source = source
    this.#tid = header.baseTid
    this.seed = checksumSeed(header.uuid)
    file.write([encodeFileHeader(header)], 0)
  }

  /** End of the new journal. */
  get end(): number {
    return this.#end
  }

  /** Newest transaction of the new journal. */
  get tid(): Tid {
    return this.#tid
  }

  add(piece: WholePiece | BrokenPiece): void {
    if (piece.kind === 'whole') this.#addWhole(piece)
    else this.#addBroken(piece)
  }

  #addWhole({ home, time, nextOid, image }: WholePiece): void {
    this.transactions.whole++
    image.forEachRecord((oid, offset) => this.homes.set(oid, home + offset))
    const copy = Buffer.from(new ArrayBuffer(image.bytes.length))
    copy.set(image.bytes)
    this.#append(new TransactionImage(copy), time, nextOid)
  }

  #addBroken({ tid, header, records }: BrokenPiece): void {
    const writes: StoredRecord[] = []
    // What a pack has carried in a transaction may stand in it as an older and as a newer version.
    const seen = new Map<Oid, Tid>()
    for (const { at, home } of records) {
      const write = this.#readRecord(at)
      if (write === undefined || (seen.get(write.oid) ?? 0) >= write.tid) continue
      seen.set(write.oid, write.tid)
      writes.push(write)
      this.homes.set(write.oid, home)
    }
    this.salvagedRecords += writes.length
    if (writes.length > 0 || header?.records === 0) this.transactions.partial++
    else this.transactions.lost++
    const of = header === undefined ? 'its' : `its ${header.records}`
    const note =
      writes.length === 0
        ? `repairFile: transaction ${tid} was damaged and is lost.`
        : `repairFile: transaction ${tid} was damaged; ${writes.length} of ${of} records could be saved.`
    this.#append(imageOf(writes, note), header?.time ?? 0, 0)
  }

  /** Undefined if the record is not the next version of its object: then it is not of this journal. */
  #readRecord(at: number): StoredRecord | undefined {
    const head = Buffer.alloc(RECORD_HEADER_BYTES)
    this.#source.read(head, 0, head.length, at)
    const bytes = Buffer.alloc(RECORD_HEADER_BYTES + recordLength(viewOf(head), 0))
    this.#source.read(bytes, 0, bytes.length, at)
    const view = viewOf(bytes)
    const oid = recordOid(view, 0)
    if (!recordIsIntact(bytes, view, 0, bytes.length - RECORD_HEADER_BYTES)) return undefined
    if (recordPrevious(view, 0) < this.homes.get(oid)) return undefined
    return { oid, tid: recordTid(view, 0), data: bytes.subarray(RECORD_HEADER_BYTES) }
  }

  /** Adds a transaction without records. */
  addNote(note: string): void {
    this.#append(imageOf([], note), Date.now(), this.nextOid)
  }

  #append(image: TransactionImage, time: number, nextOid: Oid): void {
    const position = this.#end
    this.#tid++
    this.#time = Math.max(this.#time, time)
    this.nextOid = Math.max(this.nextOid, nextOid)
    image.forEachRecord((oid) => {
      this.nextOid = Math.max(this.nextOid, oid + 1)
    })
    const stamp = {
      position,
      tid: this.#tid,
      time: this.#time,
      // True when the file gets its name: it is synced before.
      durable: position,
      nextOid: this.nextOid,
      seed: this.seed,
    }
    image.restamp(stamp, (oid, offset) => {
      const previous = this.newest.get(oid)
      this.newest.set(oid, position + offset)
      return previous
    })
    this.#waiting.push(image.bytes)
    this.#waitingBytes += image.bytes.length
    this.#end += image.bytes.length
    if (this.#waitingBytes >= WRITE_BYTES) this.flush()
  }

  /** Writes what has been gathered. */
  flush(): void {
    this.#file.write(this.#waiting, this.#end - this.#waitingBytes)
    this.#waiting = []
    this.#waitingBytes = 0
  }
}

/** A transaction of which only the place in the file has to be filled in. */
function imageOf(records: readonly StoredRecord[], note: string): TransactionImage {
  const image = new TransactionImage(layOutTransaction(records, { note }))
  let i = 0
  image.forEachRecord((_oid, offset) => {
    stampRecord(image.bytes, image.view, offset, (records[i++] as StoredRecord).tid, 0)
  })
  return image
}
