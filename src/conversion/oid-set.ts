import type { Oid } from '../core/oid.js'

const PAGE_OIDS = 32_768

/** A set of oids: a bit for each, in pages of four KiB, of which there are only those that are needed. */
export class OidSet {
  readonly #pages = new Map<number, Uint32Array<ArrayBuffer>>()
  /** Oids mostly come near each other. */
  #lastAt = -1
  #last = new Uint32Array(0)

  /** Returns whether it was not there. */
  add(oid: Oid): boolean {
    const at = Math.floor(oid / PAGE_OIDS)
    if (at !== this.#lastAt) this.#turnTo(at)
    const bit = oid - at * PAGE_OIDS
    const word = this.#last[bit >>> 5] as number
    const mask = 1 << (bit & 31)
    this.#last[bit >>> 5] = word | mask
    return (word & mask) === 0
  }

  #turnTo(at: number): void {
    let page = this.#pages.get(at)
    if (page === undefined) {
      page = new Uint32Array(PAGE_OIDS / 32)
      this.#pages.set(at, page)
    }
    this.#lastAt = at
    this.#last = page
  }

  /** Some oid that is here and not in `other`. */
  findOutside(other: OidSet): Oid | undefined {
    for (const [at, page] of this.#pages) {
      const others = other.#pages.get(at)
      for (const [i, word] of page.entries()) {
        const outside = word & ~(others?.[i] ?? 0)
        if (outside !== 0) return at * PAGE_OIDS + i * 32 + (31 - Math.clz32(outside & -outside))
      }
    }
    return undefined
  }
}
