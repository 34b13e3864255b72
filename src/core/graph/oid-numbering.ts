import type { Oid } from '../oid.js'

const PAGE_ENTRIES = 1024

/**
 * Numbers oids from 0 on in the order in which they are first seen, so that what is known of them can stand in arrays.
 * Takes memory by pages of 1,024 oids of four bytes: where most oids are in use, four bytes each.
 */
export class OidNumbering {
  /** One more than the number of each oid, 0 for those that have none. */
  readonly #pages = new Map<number, Uint32Array>()
  #count = 0
  #at = -1
  #page: Uint32Array | undefined

  /** How many have been numbered. */
  get count(): number {
    return this.#count
  }

  /** The number of `oid`, which it is given now if it has none. */
  numberOf(oid: Oid): number {
    const at = Math.floor(oid / PAGE_ENTRIES)
    let page = this.#find(at)
    if (page === undefined) {
      page = new Uint32Array(PAGE_ENTRIES)
      this.#pages.set(at, page)
      this.#page = page
    }
    const entry = oid % PAGE_ENTRIES
    const known = page[entry] as number
    if (known !== 0) return known - 1
    page[entry] = ++this.#count
    return this.#count - 1
  }

  /** The number of `oid`, or -1. */
  find(oid: Oid): number {
    return (this.#find(Math.floor(oid / PAGE_ENTRIES))?.[oid % PAGE_ENTRIES] ?? 0) - 1
  }

  /** All oids in their order, with their numbers. */
  *entries(): Generator<readonly [oid: Oid, number: number]> {
    for (const at of Float64Array.from(this.#pages.keys()).sort()) {
      const page = this.#pages.get(at) as Uint32Array
      for (let entry = 0; entry < PAGE_ENTRIES; entry++) {
        const known = page[entry] as number
        if (known !== 0) yield [at * PAGE_ENTRIES + entry, known - 1]
      }
    }
  }

  /** Oids mostly come in order, so the last page is remembered. */
  #find(at: number): Uint32Array | undefined {
    if (at === this.#at) return this.#page
    this.#at = at
    this.#page = this.#pages.get(at)
    return this.#page
  }
}
