import type { Oid } from '../../core/oid.js'
import type { RecordWrite } from '../../core/storage.js'

/** How many oids are fetched at a time, unless more are wanted. */
const RESERVE = 1024

/** No more are reserved at once than any server gives. */
const MOST_SKIPPED = 65_536

/** So many ranges are remembered. The oldest ones belong to transactions that were given up long ago. */
const MAX_RANGES = 65_536

/** Oids from `first` up to, and without, `end`. */
interface OidRange {
  readonly first: Oid
  readonly end: Oid
}

/**
 * Oids that the server has given to this client. Those that are not committed are forgotten by a server that starts
 * anew, which may then give them to others: an object that was to be created with such an oid must never be stored.
 */
export class OidReserve {
  /** Given out by this storage, and not committed so far. Ascending: no server gives out an oid twice. */
  #pending: OidRange[] = []
  /** Those of the pending ones that are below this were given by a server that has forgotten it. */
  #lostEnd: Oid = 0
  #next: Oid = 0
  #end: Oid = 0

  /** @param fetch reserves so many consecutive oids at the server and returns the first */
  allocate(count: number, fetch: (count: number) => Oid): Oid {
    if (this.#end - this.#next < count) {
      const fetched = Math.max(count, RESERVE)
      this.#next = this.#fetchNew(fetched, fetch)
      this.#end = this.#next + fetched
    }
    const first = this.#next
    this.#next += count
    const last = this.#pending.at(-1)
    if (last?.end === first) this.#pending[this.#pending.length - 1] = { first: last.first, end: this.#next }
    else this.#pending.push({ first, end: this.#next })
    if (this.#pending.length > MAX_RANGES) this.#pending = this.#pending.slice(MAX_RANGES / 2)
    return first
  }

  /** A server that was started anew may give this client what an earlier one gave it: that is skipped. */
  #fetchNew(count: number, fetch: (count: number) => Oid): Oid {
    const first = fetch(count)
    if (first >= this.#lostEnd) return first
    for (let left = this.#lostEnd - (first + count); left > 0; left -= MOST_SKIPPED) fetch(Math.min(left, MOST_SKIPPED))
    return fetch(count)
  }

  /** These objects exist from now on. */
  committed(oids: Iterable<Oid>): void {
    for (const oid of oids) {
      const i = this.#find(oid)
      if (i < 0) continue
      const { first, end } = this.#pending[i] as OidRange
      if (oid === first && oid + 1 < end) this.#pending[i] = { first: oid + 1, end }
      else
        this.#pending.splice(
          i,
          1,
          ...[
            { first, end: oid },
            { first: oid + 1, end },
          ].filter(isFilled),
        )
    }
  }

  /** The server has forgotten what it gave out. */
  serverRestarted(): void {
    this.#lostEnd = Math.max(this.#lostEnd, this.#pending.at(-1)?.end ?? 0)
    this.#next = 0
    this.#end = 0
  }

  /** The first of the objects whose oid may have been given to somebody else meanwhile. */
  findLost(writes: readonly RecordWrite[]): Oid | undefined {
    if (this.#lostEnd === 0) return undefined
    return writes.find(({ oid }) => oid < this.#lostEnd && this.#find(oid) >= 0)?.oid
  }

  /** The position of the range with this oid, or -1. */
  #find(oid: Oid): number {
    let low = 0
    let high = this.#pending.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#pending[middle] as OidRange).end <= oid) low = middle + 1
      else high = middle
    }
    return (this.#pending[low]?.first ?? Number.POSITIVE_INFINITY) <= oid ? low : -1
  }
}

function isFilled({ first, end }: OidRange): boolean {
  return first < end
}
