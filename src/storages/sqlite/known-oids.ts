import type { Oid } from '../../core/oid.js'

const PAGE_BITS = 15
const PAGE_WORDS = 2 ** (PAGE_BITS - 5)

/** Pages, of 4 KiB, are forgotten when there are more. */
const MAX_PAGES = 16_384

/**
 * Objects that are known to exist, a bit each, so that the database need not be asked again. It may forget, but what it
 * knows is so.
 */
export class KnownOids {
  readonly #pages = new Map<number, Uint32Array>()

  has(oid: Oid): boolean {
    const page = this.#pages.get(pageOf(oid))
    return page !== undefined && ((page[wordOf(oid)] as number) & bitOf(oid)) !== 0
  }

  add(oid: Oid): void {
    let page = this.#pages.get(pageOf(oid))
    if (page === undefined) {
      if (this.#pages.size >= MAX_PAGES) this.#pages.clear()
      page = new Uint32Array(PAGE_WORDS)
      this.#pages.set(pageOf(oid), page)
    }
    page[wordOf(oid)] = (page[wordOf(oid)] as number) | bitOf(oid)
  }

  delete(oid: Oid): void {
    const page = this.#pages.get(pageOf(oid))
    if (page !== undefined) page[wordOf(oid)] = (page[wordOf(oid)] as number) & ~bitOf(oid)
  }

  clear(): void {
    this.#pages.clear()
  }
}

function pageOf(oid: Oid): number {
  return Math.floor(oid / 2 ** PAGE_BITS)
}

function wordOf(oid: Oid): number {
  return Math.floor((oid % 2 ** PAGE_BITS) / 32)
}

function bitOf(oid: Oid): number {
  return 1 << (oid % 32)
}
