import { PerdureError } from '../core/errors.js'
import type { Oid } from '../core/oid.js'
import type { CommitRequest, RecordWrite } from '../core/storage.js'
import {
  MAX_NOTE_BYTES,
  MAX_RECORD_BYTES,
  MAX_TRANSACTION_BYTES,
  MAX_USER_BYTES,
  RECORD_HEADER_BYTES,
  type RemarkLengths,
  readId,
  readRemarkLengths,
  recordLength,
  recordOid,
  recordTid,
  remarkLength,
  roundUp8,
  stampRecord,
  stampTransaction,
  TOKEN_BYTES,
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
    this.#firstRecord = TRANSACTION_HEADER_BYTES + remarkLength(readRemarkLengths(this.view))
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

  /** The objects it writes. */
  oids(): Set<Oid> {
    const oids = new Set<Oid>()
    this.forEachRecord((oid) => oids.add(oid))
    return oids
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

  /** As {@link stamp}, but records keep their tids. `previousOf` is called for them in their order. */
  restamp(stamp: TransactionStamp, previousOf: (oid: Oid, offset: number) => number): void {
    this.forEachRecord((oid, offset) => {
      stampRecord(this.bytes, this.view, offset, recordTid(this.view, offset), previousOf(oid, offset))
    })
    stampTransaction(this.bytes, this.view, stamp)
  }

  /** What the transaction says of itself. */
  remarks(): ReturnType<typeof readRemarks> {
    return readRemarks(this.bytes)
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

/** What is kept with a transaction besides its records. */
export type TransactionRemarks = Pick<CommitRequest, 'note' | 'user' | 'token'>

/**
 * What a transaction says of itself: '' and undefined for what it does not say.
 *
 * @param bytes the transaction, or at least what stands before its records
 */
export function readRemarks(bytes: Uint8Array): { note: string; user: string; token?: Uint8Array } {
  const { noteLength, userLength, tokenLength } = readRemarkLengths(viewOf(bytes))
  const user = TRANSACTION_HEADER_BYTES + noteLength
  const token = user + userLength
  const text = (from: number, to: number) => Buffer.from(bytes.subarray(from, to)).toString('utf8')
  return {
    note: text(TRANSACTION_HEADER_BYTES, user),
    user: text(user, token),
    ...(tokenLength > 0 && { token: Uint8Array.from(bytes.subarray(token, token + tokenLength)) }),
  }
}

/**
 * Copies what a commit is given into the layout of the file.
 *
 * @throws PerdureError `PERDURE_RECORD_TOO_LARGE`, `PERDURE_LIMIT`, `PERDURE_ARGUMENT`
 */
export function layOutTransaction(
  writes: readonly RecordWrite[],
  remarks: TransactionRemarks = {},
): Uint8Array<ArrayBuffer> {
  const lengths = checkRemarks(remarks)
  const firstRecord = TRANSACTION_HEADER_BYTES + remarkLength(lengths)
  let end = firstRecord
  for (const { oid, data } of writes) {
    checkRecord(oid, data.length)
    end += RECORD_HEADER_BYTES + data.length
  }
  const length = roundUp8(end) + TRAILER_BYTES
  checkLength(length)
  // Not from Node's pool of small buffers, because the memory may be transferred to another thread.
  const bytes = Buffer.from(new ArrayBuffer(length))
  const view = viewOf(bytes)
  writeTransactionShape(view, length, writes.length, lengths)
  writeRemarks(bytes, remarks, lengths)
  let offset = firstRecord
  for (const { oid, data } of writes) {
    writeRecordShape(view, offset, oid, data.length)
    bytes.set(data, offset + RECORD_HEADER_BYTES)
    offset += RECORD_HEADER_BYTES + data.length
  }
  return bytes
}

function writeRemarks(bytes: Buffer, { note, user, token }: TransactionRemarks, lengths: RemarkLengths): void {
  let offset = TRANSACTION_HEADER_BYTES
  if (note !== undefined) bytes.write(note, offset, 'utf8')
  offset += lengths.noteLength
  if (user !== undefined) bytes.write(user, offset, 'utf8')
  offset += lengths.userLength
  if (token !== undefined) bytes.set(token, offset)
}

function checkRemarks({ note = '', user = '', token }: TransactionRemarks): RemarkLengths {
  if (token !== undefined && token.length !== TOKEN_BYTES) {
    throw new PerdureError('PERDURE_ARGUMENT', `A transaction's token has ${TOKEN_BYTES} bytes, not ${token.length}.`)
  }
  return {
    noteLength: checkText('note', note, MAX_NOTE_BYTES),
    userLength: checkText('user', user, MAX_USER_BYTES),
    tokenLength: token?.length ?? 0,
  }
}

function checkText(what: string, text: string, limit: number): number {
  const length = Buffer.byteLength(text)
  if (length <= limit) return length
  throw new PerdureError(
    'PERDURE_LIMIT',
    `The ${what} of the transaction takes ${length} bytes; ${limit} are allowed. Shorten it.`,
    { details: { bytes: length, limit } },
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
