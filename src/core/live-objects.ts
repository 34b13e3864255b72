import type { Header } from './header.js'

const COMPACT_AT = 4096

/**
 * The objects that the running transaction has touched, so that they can be put to rest when it ends. Those evicted
 * meanwhile are at rest already and are dropped now and then, or a transaction that visits millions would hold them all.
 */
export class LiveObjects {
  #headers: Header[] = []
  #compactAt = COMPACT_AT

  awaken(header: Header): void {
    header.awaken()
    this.#headers.push(header)
    if (this.#headers.length >= this.#compactAt) this.#compact()
  }

  restAll(): void {
    for (const header of this.#headers) header.rest()
    this.#headers = []
    this.#compactAt = COMPACT_AT
  }

  /** Doubling the limit makes this cost O(1) for each object awakened. */
  #compact(): void {
    this.#headers = [...new Set(this.#headers.filter((header) => header.live !== undefined))]
    this.#compactAt = Math.max(COMPACT_AT, this.#headers.length * 2)
  }
}
