import { readTransactionHeader, TRANSACTION_HEADER_BYTES, TRANSACTION_MAGIC, type TransactionHeader } from './format.js'
import type { ReadWindow } from './read-window.js'

const MAGIC = Buffer.alloc(4)
MAGIC.writeUInt32LE(TRANSACTION_MAGIC)

/** Finds transactions by their headers alone. These name their own offset, so none is taken for one that is not. */
export class HeaderFinder {
  readonly #window: ReadWindow
  readonly #seed: number
  readonly #end: number

  /** @param end where a transaction ends; nothing behind it is looked at */
  constructor(window: ReadWindow, seed: number, end: number) {
    this.#window = window
    this.#seed = seed
    this.#end = end
  }

  /** The header of the transaction at `position`; undefined if none begins there, or it does not end in time. */
  at(position: number): TransactionHeader | undefined {
    const header = readTransactionHeader(this.#window.bytes(position, TRANSACTION_HEADER_BYTES), position, this.#seed)
    return header === undefined || position + header.length > this.#end ? undefined : header
  }

  /**
   * Where the first transaction begins that does so at `from` or later, and before `to`.
   *
   * @param from a multiple of 8
   */
  find(from: number, to: number): number | undefined {
    for (let at = from; at < to; ) {
      const chunk = this.#window.ahead(at, TRANSACTION_HEADER_BYTES)
      if (chunk.length < TRANSACTION_HEADER_BYTES) return undefined
      const found = chunk.indexOf(MAGIC)
      const candidate = at + found
      if (found === -1) at = Math.max(at + 8, at + (chunk.length & ~7) - 8)
      else if (candidate >= to) return undefined
      else if (candidate % 8 === 0 && this.at(candidate) !== undefined) return candidate
      else at = candidate - (candidate % 8) + 8
    }
    return undefined
  }
}
