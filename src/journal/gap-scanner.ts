import type { Oid, Tid } from '../core/oid.js'
import {
  FILE_HEADER_BYTES,
  MAX_RECORD_BYTES,
  MAX_TRANSACTION_BYTES,
  MIN_TRANSACTION_BYTES,
  RECORD_HEADER_BYTES,
  readId,
  readTrailer,
  readTransactionHeader,
  recordIsIntact,
  recordLength,
  recordOid,
  recordPrevious,
  recordTid,
  remarkLength,
  roundUp8,
  TRAILER_BYTES,
  TRANSACTION_HEADER_BYTES,
  TRANSACTION_MAGIC,
  type TransactionHeader,
  transactionChecksum,
  viewOf,
} from './format.js'
import type { OpenFile } from './journal-file.js'
import { ReadWindow, WINDOW_BYTES } from './read-window.js'
import { TransactionImage } from './transaction.js'

/** No index has room for more objects. */
const MAX_OID = 2 ** 32 - 1

/** Told of what is found in a gap. `home` is always the offset where the thing belongs: it may stand elsewhere. */
export interface GapVisitor {
  /** A whole transaction that stands where it does not belong. */
  displaced(at: number, home: number, header: TransactionHeader): void
  /** The intact header of a transaction that is not whole. */
  partial(home: number, header: TransactionHeader): void
  /** An intact record, and the transaction that it counts as a part of. */
  record(at: number, home: number, oid: Oid, tid: Tid): void
  /** A record that is damaged, but of which the header makes sense. */
  damagedRecord(home: number, oid: Oid): void
}

export interface GapScannerOptions {
  readonly file: OpenFile
  readonly seed: number
  /** End of the gap. */
  readonly limit: number
  /** No offset in the journal has ever been as large. */
  readonly maxOffset: number
  /** Whether the transaction is one of which nothing whole was found in its place. */
  readonly isMissing: (tid: Tid) => boolean
  /** Which of the missing transactions a record with this tid may be of; undefined if of none. */
  readonly transactionOf: (tid: Tid) => Tid | undefined
  /** Transactions may hold older records than their own. */
  readonly isPacked: boolean
  readonly visitor: GapVisitor
}

/**
 * Looks at every byte of a gap for something that a checksum proves. Records carry no sign of their database, so
 * whatever may be the content of a record is skipped as far as it can be recognised: the data of records whose length
 * is known, and whole transactions of other databases.
 */
export class GapScanner {
  readonly #options: GapScannerOptions
  readonly #window: ReadWindow
  readonly #trailer = Buffer.alloc(TRAILER_BYTES)
  /** The transaction whose records are being read. */
  #anchor: { readonly tid: Tid; readonly end: number } | undefined
  /** Where the next record of the anchor begins, if everything before it could be read. */
  #expected = -1
  /** How far things stand behind where they belong. */
  #shift = 0

  constructor(options: GapScannerOptions) {
    this.#options = options
    this.#window = new ReadWindow(options.file, options.limit)
  }

  /** Does the work in small steps. Yields how far it has got. */
  *scan(from: number): Generator<number> {
    const { limit } = this.#options
    let reported = from
    for (let at = from; at < limit; ) {
      at = this.#examine(at) ?? this.#nextCandidate(at + 1)
      if (this.#anchor !== undefined && at >= this.#anchor.end) this.#anchor = undefined
      if (at - reported < WINDOW_BYTES) continue
      reported = at
      yield at
    }
  }

  /** The next place that may be worth a look; the end of a window at the latest. */
  #nextCandidate(at: number): number {
    const { limit } = this.#options
    const bytes = this.#window.ahead(at, RECORD_HEADER_BYTES)
    const view = viewOf(bytes)
    const last = bytes.length - RECORD_HEADER_BYTES
    if (last < 0) return limit
    const end = this.#anchor === undefined ? last : Math.min(last, this.#anchor.end - at)
    for (let i = 0; i <= end; i++) {
      if (view.getUint32(i, true) === TRANSACTION_MAGIC || this.#isPlausible(view, i, at + i)) return at + i
    }
    return at + end + 1
  }

  /** Where to go on behind what begins at `at`, or undefined if nothing does. */
  #examine(at: number): number | undefined {
    const bytes = this.#window.ahead(at, TRANSACTION_HEADER_BYTES)
    const view = viewOf(bytes)
    if (bytes.length >= MIN_TRANSACTION_BYTES && view.getUint32(0, true) === TRANSACTION_MAGIC) {
      const next = this.#transaction(at, bytes, view)
      if (next !== undefined) return next
    }
    return this.#record(at) ?? this.#beyondDamage(at)
  }

  #transaction(at: number, bytes: Uint8Array, view: DataView): number | undefined {
    const { seed, isMissing, visitor } = this.#options
    const home = readId(view, 56)
    const header = readTransactionHeader(bytes, home, seed)
    const length = readId(view, 8)
    const whole = this.#isWhole(at, length)
    // One that is known already, or of another database: the content of a record.
    if (header === undefined || !isMissing(header.tid)) return whole ? at + length : undefined
    this.#shift = at - home
    if (whole && new TransactionImage(this.#window.bytes(at, length)).hasSoundLayout()) {
      this.#anchor = undefined
      visitor.displaced(at, home, header)
      return at + length
    }
    visitor.partial(home, header)
    this.#anchor = { tid: header.tid, end: at + length }
    this.#expected = at + TRANSACTION_HEADER_BYTES + remarkLength(header)
    return Math.min(this.#expected, at + length)
  }

  #isWhole(at: number, length: number): boolean {
    const { file, limit } = this.#options
    const possible = length >= MIN_TRANSACTION_BYTES && length <= MAX_TRANSACTION_BYTES && at + length <= limit
    if (!possible || length % 8 !== 0) return false
    // Read apart, because most of what looks like a beginning has no end, and may be said to be large.
    file.read(this.#trailer, 0, TRAILER_BYTES, at + length - TRAILER_BYTES)
    if (readTrailer(this.#trailer)?.length !== length) return false
    return transactionChecksum(this.#window.bytes(at, length)) !== undefined
  }

  #record(at: number): number | undefined {
    const { view, plausible } = this.#headerAt(at)
    if (!plausible) return undefined
    const oid = recordOid(view, 0)
    const tid = this.#anchor?.tid ?? this.#options.transactionOf(recordTid(view, 0))
    const next = at + RECORD_HEADER_BYTES + recordLength(view, 0)
    if (tid === undefined || !this.#isIntact(at, next)) return undefined
    this.#options.visitor.record(at, at - this.#shift, oid, tid)
    this.#expected = next
    return next
  }

  /** Goes over a damaged record if what follows shows that its length is right. */
  #beyondDamage(at: number): number | undefined {
    const { view, plausible } = this.#headerAt(at)
    if (at !== this.#expected || !plausible) return undefined
    const next = at + RECORD_HEADER_BYTES + recordLength(view, 0)
    const oid = recordOid(view, 0)
    const isLast = roundUp8(next - this.#shift) + TRAILER_BYTES + this.#shift === this.#anchor?.end
    const after = this.#headerAt(next)
    if (!isLast) {
      if (!after.plausible) return undefined
      if (!this.#isIntact(next, next + RECORD_HEADER_BYTES + recordLength(after.view, 0))) return undefined
    }
    this.#options.visitor.damagedRecord(at - this.#shift, oid)
    this.#expected = next
    return next
  }

  #headerAt(at: number): { view: DataView; plausible: boolean } {
    const view = viewOf(this.#window.bytes(at, RECORD_HEADER_BYTES))
    return { view, plausible: view.byteLength === RECORD_HEADER_BYTES && this.#isPlausible(view, 0, at) }
  }

  /** Whether the bytes may be the header of a record that is wanted. To be fast, the rarest things come first. */
  #isPlausible(view: DataView, i: number, at: number): boolean {
    const tid = recordTid(view, i)
    const anchor = this.#anchor
    const { transactionOf, isPacked } = this.#options
    if (tid === 0) return false
    if (anchor === undefined ? transactionOf(tid) === undefined : isPacked ? tid > anchor.tid : tid !== anchor.tid) {
      return false
    }
    const end = at + RECORD_HEADER_BYTES + recordLength(view, i)
    if (recordLength(view, i) > MAX_RECORD_BYTES || end > (anchor?.end ?? this.#options.limit)) return false
    const previous = recordPrevious(view, i)
    const isOffset = previous >= FILE_HEADER_BYTES + TRANSACTION_HEADER_BYTES && previous < this.#options.maxOffset
    return recordOid(view, i) <= MAX_OID && (previous === 0 || isOffset)
  }

  #isIntact(at: number, end: number): boolean {
    const bytes = this.#window.bytes(at, end - at)
    return bytes.length === end - at && recordIsIntact(bytes, viewOf(bytes), 0, bytes.length - RECORD_HEADER_BYTES)
  }
}
