import type { Oid } from './oid.js'

const COMPACT_AT = 4096

/**
 * The oids that the running transaction has read. An object is noted once as a rule, and again each time it was
 * evicted in between, so a list that drops repetitions now and then costs less than a Set.
 */
export class ReadList {
  #oids: Oid[] = []
  #compactAt = COMPACT_AT

  add(oid: Oid): void {
    this.#oids.push(oid)
    if (this.#oids.length < this.#compactAt) return
    this.#oids = this.distinct()
    this.#compactAt = Math.max(COMPACT_AT, this.#oids.length * 2)
  }

  /** Each oid once, in rising order. Sorted rather than put into a Set, which holds no more than 2^24. */
  distinct(): Oid[] {
    const sorted = Float64Array.from(this.#oids).sort()
    return Array.from(sorted.filter((oid, i) => i === 0 || oid !== sorted[i - 1]))
  }

  clear(): void {
    if (this.#oids.length === 0) return
    this.#oids = []
    this.#compactAt = COMPACT_AT
  }
}
