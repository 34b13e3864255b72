import type { Oid, Tid } from '../../core/oid.js'

/** What the transactions after `after` and up to `upTo` have changed. */
interface Range {
  readonly after: Tid
  readonly upTo: Tid
  readonly oids: readonly Oid[]
}

/**
 * Which objects were changed by the transactions from some tid on, as the server told. When it holds too many oids it
 * forgets the oldest transactions first.
 */
export class RangeLog {
  readonly #limit: number
  /** Without gaps, oldest first; those before `#first` have been forgotten. */
  #ranges: Range[] = []
  #first = 0
  #size = 0
  /** By the newest range that has it. */
  readonly #lastChange = new Map<Oid, Tid>()
  #from: Tid = 0
  #upTo: Tid = 0

  /** @param limit how many oids to remember; the newest range is remembered whatever its size */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** The newest transaction that is known of. */
  get upTo(): Tid {
    return this.#upTo
  }

  /** Forgets everything, and goes on from transaction `tid`. */
  restart(tid: Tid): void {
    this.#ranges = []
    this.#first = 0
    this.#size = 0
    this.#lastChange.clear()
    this.#from = tid
    this.#upTo = tid
  }

  /** Notes the transactions that follow the newest one, up to `upTo`. */
  append(upTo: Tid, oids: readonly Oid[]): void {
    this.#ranges.push({ after: this.#upTo, upTo, oids })
    this.#upTo = upTo
    this.#size += oids.length
    for (const oid of oids) this.#lastChange.set(oid, upTo)
    while (this.#size > this.#limit && this.#first < this.#ranges.length - 1) this.#forgetOldest()
  }

  #forgetOldest(): void {
    const { upTo, oids } = this.#ranges[this.#first] as Range
    for (const oid of oids) if (this.#lastChange.get(oid) === upTo) this.#lastChange.delete(oid)
    this.#size -= oids.length
    this.#from = upTo
    if (++this.#first < 1024) return
    this.#ranges = this.#ranges.slice(this.#first)
    this.#first = 0
  }

  /** False if it may be that a transaction after `tid` has changed the object. */
  isUnchangedSince(oid: Oid, tid: Tid): boolean {
    return tid >= this.#from && (this.#lastChange.get(oid) ?? 0) <= tid
  }

  /** The oids changed after `after` and up to `upTo`, some perhaps by others near by; undefined if not known. */
  between(after: Tid, upTo: Tid): Iterable<Oid> | undefined {
    if (after >= upTo) return []
    if (after < this.#from || upTo > this.#upTo) return undefined
    const oids: Oid[] = []
    for (let i = this.#ranges.length - 1; i >= this.#first; i--) {
      const range = this.#ranges[i] as Range
      if (range.upTo <= after) break
      if (range.after < upTo) for (const oid of range.oids) oids.push(oid)
    }
    return oids
  }
}
