import {
  checksumSeed,
  FILE_HEADER_BYTES,
  type FileHeader,
  RECORD_HEADER_BYTES,
  readTransactionHeader,
  recordLength,
  recordOid,
  remarkLength,
  TRAILER_BYTES,
  TRANSACTION_HEADER_BYTES,
  type TransactionHeader,
  viewOf,
} from './format.js'
import type { OpenFile } from './journal-file.js'
import { ReadWindow } from './read-window.js'
import { complete, TransactionFinder } from './transaction-finder.js'

/** Told of each record: its oid, where it stands in the file, and how long its data is. */
export type RecordVisitor = (oid: number, offset: number, length: number) => void

/**
 * Reads the records of a part of a journal, one after another, and checks as little as possible: that the headers of
 * transactions are what was written, and that no record reaches out of its transaction. Who uses the data of a record
 * has to check its checksum. A transaction whose header is damaged is passed over.
 */
export class RecordWalker {
  readonly #window: ReadWindow
  readonly #finder: TransactionFinder
  readonly #seed: number
  readonly #end: number
  /** What is in memory of the file, as far as it is known to hold the current record. */
  bytes: Buffer = Buffer.alloc(0)
  view: DataView = viewOf(this.bytes)
  /** Where in {@link bytes} the current record begins. */
  start = 0
  /** The visitor has made the current record the first in memory. */
  #moved = false

  /** @param end bytes from this offset on are not looked at; a transaction ends there */
  constructor(file: OpenFile, header: FileHeader, end: number) {
    this.#window = new ReadWindow(file, end)
    this.#finder = new TransactionFinder(file, header, end)
    this.#seed = checksumSeed(header.uuid)
    this.#end = end
  }

  /**
   * Visits all records of the transactions that begin at `from` or later, and before `to`.
   *
   * @param from a multiple of 8; need not be where a transaction begins
   */
  walk(from: number, to: number, visit: RecordVisitor): void {
    let at = this.#find(Math.max(from, FILE_HEADER_BYTES), to)
    while (at !== undefined && at < to) {
      const header = this.#headerAt(at)
      if (header === undefined) {
        at = this.#find(at + 8, to)
      } else {
        this.#walkTransaction(at, header, visit)
        at += header.length
      }
    }
  }

  #find(from: number, to: number): number | undefined {
    return complete(this.#finder.firstFrom(from, to))?.position
  }

  #headerAt(position: number): TransactionHeader | undefined {
    const header = readTransactionHeader(this.#window.bytes(position, TRANSACTION_HEADER_BYTES), position, this.#seed)
    return header === undefined || position + header.length > this.#end ? undefined : header
  }

  #walkTransaction(position: number, header: TransactionHeader, visit: RecordVisitor): void {
    const end = position + header.length - TRAILER_BYTES
    let at = position + TRANSACTION_HEADER_BYTES + remarkLength(header)
    let base = at
    this.#hold(at, RECORD_HEADER_BYTES)
    for (let i = 0; i < header.recordCount; i++) {
      if (at + RECORD_HEADER_BYTES > end) return
      if (at - base + RECORD_HEADER_BYTES > this.bytes.length) {
        this.#hold(at, RECORD_HEADER_BYTES)
        base = at
        if (this.bytes.length < RECORD_HEADER_BYTES) return
      }
      this.start = at - base
      const length = recordLength(this.view, this.start)
      if (at + RECORD_HEADER_BYTES + length > end) return
      visit(recordOid(this.view, this.start), at, length)
      if (this.#moved) base = at
      this.#moved = false
      at += RECORD_HEADER_BYTES + length
    }
  }

  /** To be called by a visitor that looks at the data of the record. False if the file ends within it. */
  load(offset: number, length: number): boolean {
    const whole = RECORD_HEADER_BYTES + length
    if (this.start + whole <= this.bytes.length) return true
    this.#hold(offset, whole)
    this.start = 0
    this.#moved = true
    return whole <= this.bytes.length
  }

  #hold(position: number, least: number): void {
    this.bytes = this.#window.ahead(position, least)
    this.view = viewOf(this.bytes)
  }
}
