import type { Oid, Tid } from '../core/oid.js'

/** Which oids the most recent transactions wrote or removed. It forgets the oldest ones first when it holds too many oids. */
export class ChangeLog {
  readonly #limit: number
  readonly #written = new Map<Tid, readonly Oid[]>()
  #oldest: Tid = 1
  #newest: Tid = 0
  #size = 0

  /** @param limit how many oids to remember; the newest transaction is remembered whatever its size */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Notes the next transaction. Tids are consecutive, from 1. */
  append(oids: readonly Oid[]): void {
    this.#written.set(++this.#newest, oids)
    this.#size += oids.length
    while (this.#size > this.#limit && this.#oldest < this.#newest) {
      this.#size -= this.#written.get(this.#oldest)?.length ?? 0
      this.#written.delete(this.#oldest++)
    }
  }

  /** The last transaction remembered that wrote or removed `oid`. */
  lastChange(oid: Oid): Tid | undefined {
    for (let tid = this.#newest; tid >= this.#oldest; tid--) if (this.#written.get(tid)?.includes(oid)) return tid
    return undefined
  }

  /** The oids written or removed after `after` and up to `upTo`, some perhaps more than once; undefined if forgotten. */
  between(after: Tid, upTo: Tid): Iterable<Oid> | undefined {
    if (after >= upTo) return []
    if (after + 1 < this.#oldest) return undefined
    const last = Math.min(upTo, this.#newest)
    if (last === after + 1) return this.#written.get(last)
    const oids: Oid[] = []
    for (let tid = after + 1; tid <= last; tid++) for (const oid of this.#written.get(tid) ?? []) oids.push(oid)
    return oids
  }
}
