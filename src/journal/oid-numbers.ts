import type { Oid } from '../core/oid.js'

const PAGE_ENTRIES = 4096

/** One number for each object, 0 if none was set. Memory is taken by pages, so that a stray oid costs but one. */
export class OidNumbers {
  readonly #pages = new Map<number, Float64Array>()
  #number = -1
  #page: Float64Array | undefined

  get(oid: Oid): number {
    return this.#find(Math.floor(oid / PAGE_ENTRIES))?.[oid % PAGE_ENTRIES] ?? 0
  }

  set(oid: Oid, value: number): void {
    const number = Math.floor(oid / PAGE_ENTRIES)
    let page = this.#find(number)
    if (page === undefined) {
      page = new Float64Array(PAGE_ENTRIES)
      this.#pages.set(number, page)
      this.#page = page
    }
    page[oid % PAGE_ENTRIES] = value
  }

  /** Oids mostly come in order, so the last page is remembered. */
  #find(number: number): Float64Array | undefined {
    if (number === this.#number) return this.#page
    this.#number = number
    this.#page = this.#pages.get(number)
    return this.#page
  }
}
