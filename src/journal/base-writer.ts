import { crc32 } from 'node:zlib'
import type { Oid } from '../core/oid.js'
import type { BaseTransaction } from './base-layout.js'
import {
  RECORD_HEADER_BYTES,
  recordPrevious,
  recordTid,
  roundUp8,
  stampRecord,
  stampTransactionHeader,
  TRAILER_BYTES,
  TRANSACTION_HEADER_BYTES,
  viewOf,
  writeTrailer,
  writeTransactionShape,
} from './format.js'
import type { OpenFile } from './journal-file.js'
import { checkKeptRecord } from './kept-record.js'
import type { OidIndex } from './oid-index.js'
import type { PackTables } from './pack-tables.js'
import { RunReader } from './run-reader.js'

/** Records are gathered up to this many bytes, then written, and synced, at once. */
const BATCH_BYTES = 4 * 1024 * 1024

/** What all base transactions have in common. */
export interface BaseStamp {
  /** That of the journal that is made. */
  readonly seed: number
  readonly time: number
  readonly nextOid: Oid
}

/**
 * Writes base transactions: copies the records of the objects they are to hold, in their order, and checks each.
 * Several of these can work on one file at the same time, each on other transactions.
 */
export class BaseWriter {
  readonly #source: OpenFile
  readonly #target: OpenFile
  readonly #tables: PackTables
  readonly #index: OidIndex
  readonly #reader: RunReader
  #batch = Buffer.allocUnsafeSlow(BATCH_BYTES)
  #view = viewOf(this.#batch)

  /** @param index of the new journal, with room for all objects */
  constructor(source: OpenFile, target: OpenFile, tables: PackTables, index: OidIndex) {
    this.#source = source
    this.#target = target
    this.#tables = tables
    this.#index = index
    this.#reader = new RunReader(source)
  }

  /**
   * Writes one transaction, and syncs it: a lot of unwritten data would hold up the commits that are synced meanwhile.
   *
   * @returns its checksum
   * @throws CorruptionError, PerdureError `PERDURE_NO_SPACE`, `PERDURE_IO`
   */
  write(transaction: BaseTransaction, stamp: BaseStamp): number {
    const { position, length, first, count } = transaction
    const end = first + count
    let checksum = 0
    let used = this.#writeHeader(transaction, stamp)
    let at = position
    for (let from = first; ; ) {
      const to = this.#endOfBatch(from, end, used)
      used = this.#gather(from, to, at, used)
      if (to === end) break
      checksum = crc32(this.#batch.subarray(0, used), checksum)
      this.#flush(used, at)
      at += used
      used = 0
      from = to
    }
    const padded = at + used - position
    const trailer = used + roundUp8(padded) - padded
    this.#reserve(trailer + TRAILER_BYTES, used)
    this.#batch.fill(0, used, trailer)
    checksum = crc32(this.#batch.subarray(0, trailer), checksum)
    writeTrailer(this.#view, trailer, checksum, length)
    this.#flush(trailer + TRAILER_BYTES, at)
    return checksum
  }

  #writeHeader({ position, length, count, tid }: BaseTransaction, stamp: BaseStamp): number {
    const header = this.#batch.subarray(0, TRANSACTION_HEADER_BYTES).fill(0)
    writeTransactionShape(this.#view, length, count, { noteLength: 0, userLength: 0, tokenLength: 0 })
    // What is said to be durable is so when the file gets its name: it is synced before.
    stampTransactionHeader(header, this.#view, { ...stamp, position, tid, durable: position })
    return TRANSACTION_HEADER_BYTES
  }

  #endOfBatch(from: number, end: number, used: number): number {
    const { order, lengths } = this.#tables
    let bytes = used
    let to = from
    while (to < end) {
      bytes += RECORD_HEADER_BYTES + (lengths[order[to] as Oid] as number)
      if (bytes > BATCH_BYTES && to > from) break
      to++
    }
    return to
  }

  /**
   * Puts records behind the `used` bytes of the batch, which will be written at `position`.
   *
   * @returns how many bytes are used then
   */
  #gather(from: number, to: number, position: number, used: number): number {
    const { order, lengths, positions } = this.#tables
    const offsets = new Float64Array(to - from)
    let end = used
    for (let i = from; i < to; i++) {
      const oid = order[i] as Oid
      this.#index.set(oid, position + end)
      offsets[i - from] = positions[oid] as number
      end += RECORD_HEADER_BYTES + (lengths[oid] as number)
    }
    this.#reserve(end, used)
    const path = this.#source.path
    this.#reader.read(offsets.sort(), (offset, bytes, view, start, length) => {
      const oid = checkKeptRecord(path, this.#tables, offset, { bytes, view, start, length })
      const target = this.#index.get(oid) - position
      bytes.copy(this.#batch, target, start, start + RECORD_HEADER_BYTES + length)
      if (recordPrevious(view, start) !== 0) stampRecord(this.#batch, this.#view, target, recordTid(view, start), 0)
    })
    return end
  }

  #reserve(bytes: number, used: number): void {
    if (bytes <= this.#batch.length) return
    const larger = Buffer.allocUnsafeSlow(bytes)
    this.#batch.copy(larger, 0, 0, used)
    this.#batch = larger
    this.#view = viewOf(larger)
  }

  #flush(used: number, position: number): void {
    this.#target.write([this.#batch.subarray(0, used)], position)
    this.#target.sync()
  }
}
