import {
  readTransactionHeader,
  TRANSACTION_HEADER_BYTES,
  TRANSACTION_MAGIC,
  type TransactionHeader,
  transactionChecksum,
} from './format.js'
import type { OpenFile } from './journal-file.js'
import { ReadWindow, WINDOW_BYTES } from './read-window.js'
import { TransactionImage } from './transaction.js'

/** One intact transaction found in a journal. */
export interface ScannedTransaction {
  readonly position: number
  /** Where it ends and the next one begins. */
  readonly end: number
  readonly header: TransactionHeader
  readonly checksum: number
  /** Valid until the next call of the scanner. */
  readonly image: TransactionImage
}

/** Reads transactions one after another and stops at the first that is not intact. */
export class JournalScanner {
  readonly #window: ReadWindow
  readonly #seed: number
  readonly #limit: number
  #position: number

  /**
   * @param position where a transaction begins
   * @param limit bytes from this offset on are taken as not there
   */
  constructor(file: OpenFile, seed: number, position: number, limit: number) {
    this.#window = new ReadWindow(file, limit)
    this.#seed = seed
    this.#limit = limit
    this.#position = position
  }

  /** Where the next transaction begins, or the first bad one. */
  get position(): number {
    return this.#position
  }

  /** The next transaction; undefined at the end and where the bytes are not an intact transaction. */
  next(): ScannedTransaction | undefined {
    const transaction = this.#transactionAt(this.#position)
    if (transaction !== undefined) this.#position = transaction.end
    return transaction
  }

  /** Finds the first intact transaction after `position`, wherever it is, for which `matches` holds. */
  findAfter(position: number, matches: (transaction: ScannedTransaction) => boolean): ScannedTransaction | undefined {
    for (let at = position + 8; at < this.#limit; at += WINDOW_BYTES) {
      const transaction = this.findWithin(at, matches)
      if (transaction !== undefined) return transaction
    }
    return undefined
  }

  /** As {@link findAfter}, but looks only for transactions that begin less than {@link WINDOW_BYTES} behind `at`. */
  findWithin(at: number, matches: (transaction: ScannedTransaction) => boolean): ScannedTransaction | undefined {
    const chunk = this.#window.bytes(at, WINDOW_BYTES)
    // A copy, because looking at a candidate moves the window.
    const words = new Uint32Array(chunk.buffer.slice(chunk.byteOffset, chunk.byteOffset + (chunk.length & ~7)))
    for (let i = 0; i < words.length; i += 2) {
      if (words[i] !== NATIVE_MAGIC) continue
      const transaction = this.#transactionAt(at + i * 4)
      if (transaction !== undefined && matches(transaction)) return transaction
    }
    return undefined
  }

  /** Goes on with the transaction that begins at `position`. */
  seek(position: number): void {
    this.#position = position
  }

  /** Whether there are only zeros between `position` and the limit. */
  isZeroFrom(position: number): boolean {
    for (let at = position; at < this.#limit; at += WINDOW_BYTES) {
      const chunk = this.#window.bytes(at, WINDOW_BYTES)
      if (chunk.length === 0) return true
      if (!ZEROS.subarray(0, chunk.length).equals(chunk)) return false
    }
    return true
  }

  #transactionAt(position: number): ScannedTransaction | undefined {
    const header = readTransactionHeader(this.#window.bytes(position, TRANSACTION_HEADER_BYTES), position, this.#seed)
    if (header === undefined || position + header.length > this.#limit) return undefined
    const bytes = this.#window.bytes(position, header.length)
    if (bytes.length < header.length) return undefined
    const checksum = transactionChecksum(bytes)
    if (checksum === undefined) return undefined
    return { position, end: position + header.length, header, checksum, image: new TransactionImage(bytes) }
  }
}

const ZEROS = Buffer.alloc(WINDOW_BYTES)

/** The magic number as it appears in an array of words in this machine's byte order. */
const NATIVE_MAGIC = (() => {
  const bytes = new ArrayBuffer(4)
  new DataView(bytes).setUint32(0, TRANSACTION_MAGIC, true)
  return new Uint32Array(bytes)[0] as number
})()
