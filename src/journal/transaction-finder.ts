import { CorruptionError } from '../core/errors.js'
import type { Tid } from '../core/oid.js'
import type { TransactionInfo } from '../core/storage.js'
import {
  checksumSeed,
  FILE_HEADER_BYTES,
  type FileHeader,
  RESTORE_OR_REPAIR,
  readTrailer,
  readTransactionHeader,
  TRAILER_BYTES,
  TRANSACTION_HEADER_BYTES,
  TRANSACTION_MAGIC,
  type TransactionHeader,
} from './format.js'
import type { OpenFile } from './journal-file.js'
import { ReadWindow } from './read-window.js'
import { readTransactionInfo } from './transaction-info.js'

/** Bytes read at once. Most transactions are much shorter. */
const STEP_BYTES = 64 * 1024

/** Bytes looked at in one step backwards: a transaction mostly begins shortly before its records. */
const BACKWARD_STEP_BYTES = 4 * 1024

const MAGIC = Buffer.alloc(4)
MAGIC.writeUInt32LE(TRANSACTION_MAGIC)

/** Where a transaction is, and what its header says. */
export interface FoundTransaction {
  readonly position: number
  readonly end: number
  readonly header: TransactionHeader
}

/**
 * Work that can be left alone for a while after each step. A step takes some microseconds, or reads a bounded number
 * of bytes, however large the transactions are.
 */
export type Steps<T> = Generator<undefined, T, undefined>

/** Does such work at once. */
export function complete<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/**
 * Finds past transactions in a journal without reading all of it. The header of a transaction proves itself, wherever
 * one comes across it: its checksum is that of this journal, and it says where it stands. So a journal can be bisected
 * although transactions are of any length.
 *
 * Damage that is met is reported as a CorruptionError with its offset; what lies elsewhere is not looked at.
 */
export class TransactionFinder {
  readonly #path: string
  readonly #seed: number
  readonly #end: number
  readonly #window: ReadWindow

  /** @param end bytes from this offset on are taken as not there; it is the end of a transaction */
  constructor(file: OpenFile, header: FileHeader, end: number) {
    this.#path = file.path
    this.#seed = checksumSeed(header.uuid)
    this.#end = end
    this.#window = new ReadWindow(file, end, STEP_BYTES)
  }

  /** The transaction with this tid; undefined if there is none. */
  *withTid(tid: Tid): Steps<FoundTransaction | undefined> {
    const found = yield* this.#findLast((header) => header.tid - tid)
    return found?.header.tid === tid ? found : undefined
  }

  /** The last transaction that is not later than `time`, in ms since 1970; undefined if there is none. */
  notAfter(time: number): Steps<FoundTransaction | undefined> {
    return this.#findLast((header) => (header.time > time ? 1 : -1))
  }

  /** The transaction that begins at `position`. */
  at(position: number): FoundTransaction {
    const header = this.#headerAt(position)
    if (header !== undefined) return header
    throw this.#damage(position, 'there is no intact transaction where one begins')
  }

  /** The transaction that ends at `end`. */
  endingAt(end: number): FoundTransaction {
    const length = Math.min(end, readTrailer(this.#window.before(end, TRAILER_BYTES))?.length ?? 0)
    // Whoever goes on to the one before needs what lies there, too.
    if (length <= STEP_BYTES) this.#window.before(end, length)
    const found = this.#headerAt(end - length)
    if (found?.end === end) return found
    throw this.#damage(end - TRAILER_BYTES, 'there is no intact transaction where one ends')
  }

  /**
   * The transaction that the byte at `offset` belongs to.
   *
   * @param least no transaction before this position is looked at
   */
  *around(offset: number, least: number): Steps<FoundTransaction> {
    const found = yield* this.#lastFrom(offset, least)
    if (found !== undefined && found.end > offset) return found
    throw this.#damage(found?.end ?? least, `the transaction with the record at byte ${offset} is not intact`)
  }

  /** The first transaction that begins at `from` or later, and before `to`. */
  *firstFrom(from: number, to: number): Steps<FoundTransaction | undefined> {
    for (let at = from; at < to; at += STEP_BYTES) {
      const stop = Math.min(to, at + STEP_BYTES)
      const bytes = this.#window.bytes(at, stop - at + TRANSACTION_HEADER_BYTES)
      for (let i = bytes.indexOf(MAGIC); i >= 0 && at + i < stop; i = bytes.indexOf(MAGIC, i + 1)) {
        const found = this.#parse(bytes.subarray(i), at + i)
        if (found !== undefined) return found
      }
      yield
    }
    return undefined
  }

  /** What is to be told of a transaction. Reads, and checks, all of it. */
  info(transaction: FoundTransaction): Steps<TransactionInfo> {
    return readTransactionInfo(this.#path, this.#window, transaction)
  }

  /**
   * The last transaction that does not come after what is looked for.
   *
   * @param compare positive if a transaction comes after it, 0 if it is it; grows along the journal
   */
  *#findLast(compare: (header: TransactionHeader) => number): Steps<FoundTransaction | undefined> {
    let found: FoundTransaction | undefined
    let from = FILE_HEADER_BYTES
    let to = this.#end
    // Nothing that begins at `to` or later is it; everything before `from` comes before it.
    while (to - from > STEP_BYTES) {
      const middle = Math.floor((from + to) / 16) * 8
      const next = yield* this.firstFrom(middle, to)
      const order = next === undefined ? 1 : compare(next.header)
      if (order > 0) {
        to = middle
      } else {
        found = next as FoundTransaction
        from = found.end
      }
      if (order === 0) return found
    }
    while (from < to) {
      const next = this.at(from)
      const order = compare(next.header)
      if (order > 0) break
      found = next
      from = next.end
      if (order === 0) break
    }
    return found
  }

  /** The last transaction that begins at `offset` or before, and not before `least`. */
  *#lastFrom(offset: number, least: number): Steps<FoundTransaction | undefined> {
    for (let stop = offset + 1; stop > least; stop -= BACKWARD_STEP_BYTES) {
      const at = Math.max(least, stop - BACKWARD_STEP_BYTES)
      const end = Math.min(this.#end, stop + TRANSACTION_HEADER_BYTES)
      const bytes = this.#window.before(end, end - at)
      for (let i = stop - at; i > 0; ) {
        i = bytes.lastIndexOf(MAGIC, i - 1)
        const found = i < 0 ? undefined : this.#parse(bytes.subarray(i), at + i)
        if (found !== undefined) return found
      }
      yield
    }
    return undefined
  }

  #headerAt(position: number): FoundTransaction | undefined {
    return this.#parse(this.#window.bytes(position, TRANSACTION_HEADER_BYTES), position)
  }

  #parse(bytes: Uint8Array, position: number): FoundTransaction | undefined {
    const header = readTransactionHeader(bytes, position, this.#seed)
    if (header === undefined || position + header.length > this.#end) return undefined
    return { position, end: position + header.length, header }
  }

  #damage(offset: number, what: string): CorruptionError {
    return new CorruptionError(this.#path, offset, `${what}. ${RESTORE_OR_REPAIR}`)
  }
}
