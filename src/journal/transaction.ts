import { PerdureError } from '../core/errors.js'
import type { Oid } from '../core/oid.js'
import type { RecordWrite } from '../core/storage.js'
import {
  MAX_NOTE_BYTES,
  MAX_RECORD_BYTES,
  MAX_TRANSACTION_BYTES,
  RECORD_HEADER_BYTES,
  readId,
  recordLength,
  recordOid,
  roundUp8,
  stampRecord,
  stampTransaction,
  TRAILER_BYTES,
  TRANSACTION_HEADER_BYTES,
  type TransactionStamp,
  viewOf,
  writeRecordShape,
  writeTransactionShape,
} from './format.js'

/**
 * A transaction as it will stand in the file. The thread that commits lays it out, the coordinator stamps it, and
 * the bytes are written as they are: nobody copies a large transaction a second time.
 */
export class TransactionImage {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly view: DataView
  readonly recordCount: number
  readonly #firstRecord: number

  /** @param bytes what {@link layOutTransaction} made, or what was read from a journal and found intact */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.bytes = bytes
    this.view = viewOf(bytes)
    this.recordCount = this.view.getUint32(48, true)
    this.#firstRecord = TRANSACTION_HEADER_BYTES + this.view.getUint32(52, true)
  }

  /** Calls `visit` with each record's oid and its offset in the image, in the order they were given. */
  forEachRecord(visit: (oid: Oid, offset: number) => void): void {
    const { view } = this
    let offset = this.#firstRecord
    for (let i = 0; i < this.recordCount; i++) {
      visit(recordOid(view, offset), offset)
      offset += RECORD_HEADER_BYTES + recordLength(view, offset)
    }
  }

  /** Whether the records fill the transaction exactly. Only bytes made by something else than this package fail it. */
  hasSoundLayout(): boolean {
    const end = this.bytes.length - TRAILER_BYTES
    let offset = this.#firstRecord
    for (let i = 0; i < this.recordCount; i++) {
      if (offset + RECORD_HEADER_BYTES > end) return false
      offset += RECORD_HEADER_BYTES + recordLength(this.view, offset)
    }
    return offset <= end && roundUp8(offset) === end
  }

  /** The data of the record at an offset that {@link forEachRecord} gave. */
  dataAt(offset: number): Uint8Array {
    const start = offset + RECORD_HEADER_BYTES
    return this.bytes.subarray(start, start + recordLength(this.view, offset))
  }

  /** @param previousOf offset in the file of an object's version before this transaction, or 0 */
  stamp(stamp: TransactionStamp, previousOf: (oid: Oid) => number): void {
    this.forEachRecord((oid, offset) => stampRecord(this.bytes, this.view, offset, stamp.tid, previousOf(oid)))
    stampTransaction(this.bytes, this.view, stamp)
  }

  /** What a stamped transaction leaves behind for the next one. */
  summary(): { time: number; nextOid: Oid; checksum: number } {
    const { view } = this
    return {
      time: readId(view, 24),
      nextOid: readId(view, 40),
      checksum: view.getUint32(this.bytes.length - TRAILER_BYTES, true),
    }
  }
}

/**
 * Copies what a commit is given into the layout of the file.
 *
 * @throws PerdureError `PERDURE_RECORD_TOO_LARGE`, `PERDURE_LIMIT`
 */
export function layOutTransaction(writes: readonly RecordWrite[], note = ''): Uint8Array<ArrayBuffer> {
  const noteLength = checkNote(note)
  let end = TRANSACTION_HEADER_BYTES + noteLength
  for (const { oid, data } of writes) {
    checkRecord(oid, data.length)
    end += RECORD_HEADER_BYTES + data.length
  }
  const length = roundUp8(end) + TRAILER_BYTES
  checkLength(length)
  // Not from Node's pool of small buffers, because the memory may be transferred to another thread.
  const bytes = Buffer.from(new ArrayBuffer(length))
  const view = viewOf(bytes)
  writeTransactionShape(view, length, writes.length, noteLength)
  bytes.write(note, TRANSACTION_HEADER_BYTES, 'utf8')
  let offset = TRANSACTION_HEADER_BYTES + noteLength
  for (const { oid, data } of writes) {
    writeRecordShape(view, offset, oid, data.length)
    bytes.set(data, offset + RECORD_HEADER_BYTES)
    offset += RECORD_HEADER_BYTES + data.length
  }
  return bytes
}

function checkNote(note: string): number {
  const length = Buffer.byteLength(note)
  if (length <= MAX_NOTE_BYTES) return length
  throw new PerdureError(
    'PERDURE_LIMIT',
    `The note of the transaction takes ${length} bytes; ${MAX_NOTE_BYTES} are allowed. Shorten it.`,
    { details: { bytes: length, limit: MAX_NOTE_BYTES } },
  )
}

function checkRecord(oid: Oid, length: number): void {
  if (length <= MAX_RECORD_BYTES) return
  throw new PerdureError(
    'PERDURE_RECORD_TOO_LARGE',
    `Object ${oid} takes ${length} bytes; ${MAX_RECORD_BYTES} are allowed. Split it into several objects.`,
    { details: { oid, bytes: length, limit: MAX_RECORD_BYTES } },
  )
}

function checkLength(length: number): void {
  if (length <= MAX_TRANSACTION_BYTES) return
  throw new PerdureError(
    'PERDURE_LIMIT',
    `The transaction takes ${length} bytes; ${MAX_TRANSACTION_BYTES} are allowed. Commit more often.`,
    { details: { bytes: length, limit: MAX_TRANSACTION_BYTES } },
  )
}
