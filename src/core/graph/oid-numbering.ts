import type { Oid } from '../oid.js'

const PAGE_ENTRIES = 1024

/** Pages that an array may lack: eight bytes each. */
const MAX_HOLE = 16_384

/**
 * Numbers oids from 0 on in the order in which they are first seen, so that what is known of them can stand in arrays.
 * Takes memory by pages of 1,024 oids of four bytes: where most oids are in use, four bytes each.
 */
export class OidNumbering {
  /** One more than the number of each oid, 0 for those that have none. */
  readonly #pages: (Uint32Array | undefined)[] = []
  /** As `#pages`, where an array would have too many holes. */
  readonly #farPages = new Map<number, Uint32Array>()
  #count = 0

  /** How many have been numbered. */
  get count(): number {
    return this.#count
  }

  /** The number of `oid`, which it is given now if it has none. */
  numberOf(oid: Oid): number {
    const at = Math.floor(oid / PAGE_ENTRIES)
    const page = this.#pageAt(at) ?? this.#addPage(at)
    const entry = oid - at * PAGE_ENTRIES
    const known = page[entry] as number
    if (known !== 0) return known - 1
    page[entry] = ++this.#count
    return this.#count - 1
  }

  /** The number of `oid`, or -1. */
  find(oid: Oid): number {
    const at = Math.floor(oid / PAGE_ENTRIES)
    return (this.#pageAt(at)?.[oid - at * PAGE_ENTRIES] ?? 0) - 1
  }

  /** All oids in their order, with their numbers. */
  *entries(): Generator<readonly [oid: Oid, number: number]> {
    for (const [at, page] of this.#pages.entries()) yield* numbered(at, page)
    for (const at of Float64Array.from(this.#farPages.keys()).sort()) yield* numbered(at, this.#farPages.get(at))
  }

  #pageAt(at: number): Uint32Array | undefined {
    return at < this.#pages.length ? this.#pages[at] : this.#farPages.get(at)
  }

  #addPage(at: number): Uint32Array {
    const page = new Uint32Array(PAGE_ENTRIES)
    const pages = this.#pages
    if (at > pages.length + MAX_HOLE) {
      this.#farPages.set(at, page)
      return page
    }
    while (pages.length < at) pages.push(this.#takeFar(pages.length))
    pages[at] = page
    return page
  }

  /** A page that was far, until the array came to it. */
  #takeFar(at: number): Uint32Array | undefined {
    const page = this.#farPages.get(at)
    if (page !== undefined) this.#farPages.delete(at)
    return page
  }
}

function* numbered(at: number, page: Uint32Array | undefined): Generator<readonly [oid: Oid, number: number]> {
  if (page === undefined) return
  for (let entry = 0; entry < PAGE_ENTRIES; entry++) {
    const known = page[entry] as number
    if (known !== 0) yield [at * PAGE_ENTRIES + entry, known - 1]
  }
}
