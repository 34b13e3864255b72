import type { RecordBatch, StoredRecord, TransactionInfo } from '../../core/storage.js'
import type { FrameWriter } from './frame-writer.js'
import type { PayloadReader } from './payload-reader.js'

/** A Date holds no time further from 1970 than this, in ms. */
const MAX_TIME = 8.64e15

/** Room for the length, oid and tid of one record. */
const RECORD_HEAD_BYTES = 24

/** 0 for a record that is missing; else its length plus one, oid, tid and data. */
export function writeRecord(out: FrameWriter, record: StoredRecord | undefined): void {
  if (record === undefined) {
    out.u8(0)
    return
  }
  out.varint(record.data.length + 1)
  out.id(record.oid)
  out.id(record.tid)
  out.bytes(record.data)
}

/** The data is a view. */
export function readRecord(input: PayloadReader): StoredRecord | undefined {
  const size = input.id()
  if (size === 0) return undefined
  const oid = input.id()
  const tid = input.id()
  return { oid, tid, data: input.view(size - 1) }
}

/** Records up to the end of the payload. */
export function readRecords(input: PayloadReader): (StoredRecord | undefined)[] {
  const records: (StoredRecord | undefined)[] = []
  while (input.left > 0) records.push(readRecord(input))
  return records
}

/** How many bytes records take at most. */
export function recordsBytes(records: Iterable<{ readonly data: Uint8Array } | undefined>): number {
  let bytes = 0
  for (const record of records) bytes += record === undefined ? 1 : RECORD_HEAD_BYTES + record.data.length
  return bytes
}

/** The arrays of a batch go as they lie in memory, little-endian. */
export function writeBatch(out: FrameWriter, batch: RecordBatch): void {
  out.varint(batch.oids.length)
  out.varint(batch.references.length)
  out.varint(batch.classNames.length)
  for (const name of batch.classNames) out.string(name)
  for (const array of [batch.oids, batch.tids, batch.references, batch.bytes, batch.classes, batch.referenceEnds]) {
    out.bytes(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
  }
}

/** @throws PerdureError `PERDURE_PROTOCOL` also if the arrays do not fit together */
export function readBatch(input: PayloadReader): RecordBatch {
  const objects = input.count(28)
  const referenceCount = input.count(8)
  const classNames: string[] = []
  for (let count = input.count(1); count > 0; count--) classNames.push(input.string())
  const oids = readIds(input, objects)
  const tids = readIds(input, objects)
  const references = readIds(input, referenceCount)
  const bytes = readCounts(input, objects)
  const classes = readCounts(input, objects)
  const referenceEnds = readCounts(input, objects)
  if (!classes.every((position) => position < classNames.length)) throw input.error('a class has no name')
  let last = 0
  for (const end of referenceEnds) {
    if (end < last) throw input.error('the references are out of order')
    last = end
  }
  if (last !== referenceCount) throw input.error('a reference belongs to no object')
  return { oids, tids, bytes, classes, classNames, referenceEnds, references }
}

function readIds(input: PayloadReader, count: number): Float64Array {
  const ids = new Float64Array(copyBytes(input, count * 8))
  if (!ids.every((id) => Number.isSafeInteger(id) && id >= 0)) throw input.error('a number is no oid or tid')
  return ids
}

function readCounts(input: PayloadReader, count: number): Uint32Array {
  return new Uint32Array(copyBytes(input, count * 4))
}

/** A copy, because arrays of numbers have to be aligned. */
function copyBytes(input: PayloadReader, length: number): ArrayBuffer {
  return Uint8Array.from(input.view(length)).buffer
}

/** How many bytes a batch takes at most. */
export function batchBytes(batch: RecordBatch): number {
  return batch.oids.length * 28 + batch.references.length * 8 + classNamesBytes(batch)
}

/** How many bytes a batch takes at most besides its objects and references. */
export function classNamesBytes({ classNames }: RecordBatch): number {
  return classNames.reduce((bytes, name) => bytes + name.length * 3 + 4, 32)
}

export function writeTransaction(out: FrameWriter, transaction: TransactionInfo): void {
  out.id(transaction.tid)
  out.id(transaction.time.getTime())
  out.id(transaction.bytes)
  out.string(transaction.note)
  out.string(transaction.user)
  out.sized(transaction.token ?? new Uint8Array())
  out.ids(transaction.oids)
}

export function readTransaction(input: PayloadReader): TransactionInfo {
  const tid = input.id()
  const ms = input.id()
  if (ms > MAX_TIME) throw input.error('a time is later than any')
  const bytes = input.id()
  const note = input.string()
  const user = input.string()
  const token = input.sized()
  const transaction = { tid, time: new Date(ms), bytes, note, user, oids: input.ids() }
  return token.length === 0 ? transaction : { ...transaction, token: Uint8Array.from(token) }
}

export function transactionBytes({ note, user, oids }: TransactionInfo): number {
  return 64 + note.length + user.length + oids.length * 8
}
